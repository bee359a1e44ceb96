"""Make .venv hold exactly what requirements/dev.txt pins, and the project itself.

Standard library only, and in syntax old enough that an old Python reads far enough to say what is wrong.
The stamp in .venv says what was installed: a venv that was begun and never finished is made anew, one whose pins
changed is brought up to date where it is.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = VENV / "nightdesk-setup"
UNFINISHED = "unfinished"
PINS = ROOT / "requirements" / "dev.txt"


class SetupFailed(Exception):
    """What is wrong and what to do next, in words for the person at the terminal."""


def main() -> int:
    """.venv is ready, or the reason why not is on stderr; --fresh only answers whether it is ready (0) or not (1)."""
    if "--fresh" in sys.argv[1:]:
        return 0 if _stamp() == _wanted() else 1
    try:
        _refuse_unfit_python()
        if _stamp() == _wanted() and _usable():
            return 0
        _prepare_venv()
        _install()
    except SetupFailed as e:
        sys.stderr.write(f"{e}\n")
        return 1
    STAMP.write_text(_wanted(), encoding="utf-8")
    print("Ready.", flush=True)
    return 0


def _refuse_unfit_python() -> None:
    have = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] < OLDEST:
        raise SetupFailed(
            f"Nightdesk needs Python 3.11 or newer; {sys.executable} is {have}.\n"
            "Install a newer one (Debian, Ubuntu: sudo apt install python3 python3-venv; macOS: brew install python),"
            " then run make setup again.\n"
            "A Python in another place is named with: make setup PYTHON=/path/to/python3"
        )
    try:
        import ensurepip  # noqa: F401  (Debian ships Python without it)
        import venv  # noqa: F401
    except ImportError as e:
        raise SetupFailed(
            f"{sys.executable} ({have}) cannot make a virtual environment: its module {e.name} is not installed.\n"
            f"Debian, Ubuntu: sudo apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv;"
            " elsewhere install the full Python. Then run make setup again."
        ) from e


def _wanted() -> str:
    digest = hashlib.sha256()
    for path in (PINS, ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    # The place belongs to it: the scripts of a venv name their interpreter by its full path.
    return f"{digest.hexdigest()} {VENV}\n"


def _stamp() -> str:
    try:
        return STAMP.read_text(encoding="utf-8")
    except OSError:
        return ""


def _python() -> Path:
    return VENV / "Scripts" / "python.exe" if sys.platform == "win32" else VENV / "bin" / "python"


def _usable() -> bool:
    probe = f"import sys, pip; sys.exit(sys.version_info[:2] < {OLDEST})"
    try:
        return subprocess.run([str(_python()), "-c", probe], stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def _prepare_venv() -> None:
    stamp = _stamp()
    moved = stamp != "" and not stamp.endswith(f" {VENV}\n")
    if VENV.exists() and not moved and _usable():
        print("Bringing .venv up to date.", flush=True)
        # Without a stamp an interrupted update is simply an update again.
        if STAMP.exists():
            STAMP.unlink()
        return
    if VENV.exists():
        print("Making .venv anew: the one that is there was not finished, was moved, or cannot run pip.", flush=True)
        shutil.rmtree(str(VENV))
    version = ".".join(str(part) for part in sys.version_info[:3])
    print(f"Setting up .venv with Python {version}. This takes about a minute, once.", flush=True)
    VENV.mkdir()
    STAMP.write_text(UNFINISHED, encoding="utf-8")
    _run("make the virtual environment", sys.executable, "-m", "venv", str(VENV))


def _install() -> None:
    # Python compiles a module when it is first used; compiling all of it here would take 16 s and 90 MB.
    options = ("--disable-pip-version-check", "--no-input", "install", "-qq", "--no-compile")
    pip = (str(_python()), "-m", "pip", *options)
    _run("install the packages of requirements/dev.txt", *pip, "--require-hashes", "-r", str(PINS))
    _run("install Nightdesk itself", *pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT))


def _run(what: str, *command: str) -> None:
    result = subprocess.run(command, cwd=str(ROOT), stdin=subprocess.DEVNULL)
    if result.returncode != 0:
        raise SetupFailed(
            f"make setup could not {what}; the reason is above.\n"
            "If it is the network, or the package index that pip is configured for, run make setup again once that"
            " works.\nIf it is a build: Python 3.11 to 3.14 have ready-made packages for everything;"
            " name one with make setup PYTHON=python3.13"
        )


if __name__ == "__main__":
    sys.exit(main())
