"""`python -m tools.generate` writes the generated files; `--check` fails where one is out of date."""

import sys
from pathlib import Path

from tools.generate.codes import codes
from tools.generate.env_example import env_example

ROOT = Path(__file__).resolve().parents[2]
FILES = {".env.example": env_example, "docs/codes.md": codes}


def main(arguments: list[str], root: Path = ROOT) -> int:
    """The exit code: 0 when every file is as the code says, 1 when `--check` found one that is not."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m tools.generate [--check]", file=sys.stderr)
        return 2
    stale = [name for name, make in FILES.items() if _content(root / name) != make()]
    if arguments:
        for name in stale:
            print(f"{name} is out of date. Run: .venv/bin/python -m tools.generate", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(FILES[name](), encoding="utf-8")
        print(f"wrote {name}")
    return 0


def _content(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
