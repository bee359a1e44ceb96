"""The layout of the project: what it says of itself holds."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RUN, DEV = ROOT / "requirements" / "run.txt", ROOT / "requirements" / "dev.txt"

# A crash test that takes two seconds to start is one nobody runs: the heart loads none of these.
HEAVY = frozenset({"ccxt", "fastapi", "httpx2", "pydantic", "sqlalchemy", "starlette", "structlog", "taskiq"})
MAKE = re.compile(r"\bmake +([a-z]+(?: [a-z]+\b(?!=))*)")
# A letter in brackets keeps the pattern from finding itself.
REGISTRY = re.compile(r"[p]ypi\.org|[p]ythonhosted|[r]egistry\.(npmjs|yarnpkg)|[i]ndex-url", re.IGNORECASE)


@pytest.mark.parametrize("room", ["model", "risk", "orders"])
def test_the_heart_starts_without_the_heavy_libraries(room: str) -> None:
    folder = ROOT / "src" / "nightdesk" / room
    if not folder.is_dir():
        pytest.skip(f"the room {room} is not there yet")
    modules = [
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        for path in sorted(folder.rglob("*.py"))
    ]
    program = f"import sys\nfor name in {modules}: __import__(name)\nprint(*sys.modules)"

    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)

    assert not HEAVY & {name.split(".", 1)[0] for name in loaded.stdout.split()}


def verbs() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_every_make_verb_a_text_names_exists(name: str) -> None:
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"{name} is not there yet")
    text = path.read_text(encoding="utf-8")
    code = re.findall(r"```[^`]*```|`[^`\n]+`|^ {4}[^\n]*$", text, re.MULTILINE)

    named = {verb for piece in code for verbs in MAKE.findall(piece) for verb in verbs.split()}

    assert named
    assert named <= verbs()


def test_make_alone_lists_every_verb() -> None:
    listed = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, check=True, capture_output=True, text=True)

    assert set(re.findall(r"^ *make ([a-z]+) ", listed.stdout, re.MULTILINE)) == verbs()


def test_no_text_names_a_registry() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode != 0:
        pytest.skip("not a git working tree")

    naming = [name for name in listed.stdout.split("\0") if name and REGISTRY.search(_text(ROOT / name))]

    assert naming == []


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="ignore") if path.is_file() else ""


def pins(path: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """Every package of a requirements file: its line without hashes, and its hashes."""
    found = {}
    for entry in path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        what, *hashes = entry.split("--hash=")
        found[re.split(r"[=\[]", what, maxsplit=1)[0]] = (what.strip(), frozenset(h.strip() for h in hashes))
    return found


@pytest.mark.parametrize("path", [RUN, DEV], ids=lambda path: path.name)
def test_every_pin_is_exact_and_hashed_and_names_no_place(path: Path) -> None:
    assert "://" not in path.read_text(encoding="utf-8")
    for line, hashes in pins(path).values():
        assert re.fullmatch(r"[a-z0-9.-]+(\[[a-z,]+\])?==[\w.]+( ; .+)?", line)
        assert hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes)


def test_the_tests_run_on_the_packages_that_the_desk_runs_on() -> None:
    assert pins(RUN).items() <= pins(DEV).items()


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    for path, wanted in (
        (RUN, project["project"]["dependencies"]),
        (DEV, project["project"]["dependencies"] + project["dependency-groups"]["dev"]),
    ):
        names = {re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in wanted}
        assert names <= pins(path).keys()


def test_the_desk_fits_in_130_packages() -> None:
    assert len(pins(RUN)) < 130


def test_decision_records_are_numbered_without_gaps() -> None:
    names = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("*.md"))

    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
