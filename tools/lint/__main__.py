"""python -m tools.lint [FILE ...] names every line that breaks a rule of this house; without files, of all files."""

import sys
from collections.abc import Iterator
from pathlib import Path

from tools.lint.rules import findings
from tools.lint.source import Source

ROOT = Path(__file__).resolve().parents[2]
CODE = ("bench", "src", "tests", "tools")
# Where the rules for texts apply; the pins, the licence and recorded data are not our words.
TEXTS = ("*.md", "*.toml", "Makefile", ".ci/*", ".importlinter", "docs/**/*.md", "src/**/*", "deploy/**/*")
TEXT_SUFFIXES = frozenset(
    {"", ".css", ".html", ".js", ".mako", ".md", ".service", ".svg", ".toml", ".txt", ".yaml", ".yml"}
)


def main() -> int:
    """0 if no file breaks a rule, 1 otherwise; each finding is one line on stdout."""
    paths = [Path(name).resolve() for name in sys.argv[1:]] or sorted(set(_project()))
    count = 0
    for path in paths:
        name = path.relative_to(ROOT).as_posix()
        for finding in findings(Source(name, path.read_text(encoding="utf-8"))):
            print(f"{name}:{finding.line}: {finding.rule}: {finding.text}")
            count += 1
    print(f"{len(paths)} files, {count} findings" if count else f"{len(paths)} files keep the rules of this house")
    return 1 if count else 0


def _project() -> Iterator[Path]:
    for top in CODE:
        yield from (path for path in (ROOT / top).rglob("*.py") if "__pycache__" not in path.parts)
    for pattern in TEXTS:
        yield from (path for path in ROOT.glob(pattern) if path.is_file() and path.suffix in TEXT_SUFFIXES)


if __name__ == "__main__":
    sys.exit(main())
