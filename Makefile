# The verbs of this project. `make` alone lists them.

.DEFAULT_GOAL := help
.PHONY: help setup demo run test check bench chaos

# Pythons that every pinned package has a ready-made wheel for come first.
PYTHONS := $(or $(PYTHON),python3.13 python3.12 python3.11 python3.14 python3 python)
PROBE := import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))
BIN := .venv/bin
N ?= 500

help:  ## list the verbs
	@sed -n 's/^\([a-z]*\):.*## /\1  /p' Makefile | awk '{ verb = $$1; $$1 = ""; printf "  make %-7s%s\n", verb, $$0 }'

setup:  ## make or update .venv; needs Python 3.11 or newer and nothing else
	@$(BIN)/python tools/setup.py --fresh 2>/dev/null && exit 0; \
	for python in $(PYTHONS); do \
	    "$$python" -c '$(PROBE)' 2>/dev/null && exec "$$python" tools/setup.py; \
	done; \
	command -v $(or $(PYTHON),python3) >/dev/null && exec $(or $(PYTHON),python3) tools/setup.py; \
	echo 'No Python found. Install Python 3.11 or newer, then run make setup again.' >&2; exit 1

demo: setup  ## run the desk with a market playing (MARKET=file, PORT=8700)
	$(BIN)/nightdesk demo $(if $(MARKET),--market "$(MARKET)") $(if $(PORT),--port "$(PORT)")

run: setup  ## run the desk on its own data, kept in data/
	$(BIN)/nightdesk run --data data

test: setup  ## run the tests (ARGS="-k stops -x")
	@$(BIN)/pytest -n 2 --dist loadfile -rs $(ARGS) || { code=$$?; \
	    [ $$code -ne 5 ] || echo 'No test was collected: tests/ is empty, or ARGS selects nothing.' >&2; exit $$code; }

check: setup  ## lint, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tools.lint
	$(BIN)/python -m tools.generate --check

bench: setup  ## measure every figure we state
	$(BIN)/python -m bench

chaos: setup  ## kill the desk N times in the middle of its work (N=500, SEED=7)
	$(BIN)/python -m tests.path.chaos --n $(N) $(if $(SEED),--seed $(SEED))
