"""How the command line speaks: a sentence first, the same marks as the pages, stable exit codes."""

import os
import sys
from collections.abc import Sequence

EXIT_OK = 0
EXIT_FAILED = 1
"""What was asked for was not done: refused, denied, not found."""
EXIT_USAGE = 2
"""The command line itself is wrong."""
EXIT_SETTINGS = 3
"""The settings, tokens or data directory cannot be used."""
EXIT_BUSY = 4
"""Another desk runs over this data directory."""
EXIT_STORE = 5
"""The database cannot be used."""
EXIT_UNREACHABLE = 6
"""The desk does not answer."""

GOOD, WARN, BAD, NEUTRAL = "●", "◆", "▲", "○"
_COLOURS = {GOOD: "32", WARN: "33", BAD: "31", NEUTRAL: "90"}


def coloured(stream: object = None) -> bool:
    """True on a terminal that has not asked for plain text."""
    stream = stream or sys.stdout
    return bool(getattr(stream, "isatty", lambda: False)()) and "NO_COLOR" not in os.environ


def mark(which: str) -> str:
    """The mark, in its colour where there are colours."""
    return f"\x1b[{_COLOURS[which]}m{which}\x1b[0m" if coloured() else which


def say(text: str = "") -> None:
    """The text stands on standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def table(rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> None:
    """The rows stand aligned on standard output; columns in `right` are aligned to the right."""
    if not rows:
        return
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        say("  " + "  ".join(cells).rstrip())


def fail(error: BaseException) -> None:
    """The process ends with one plain sentence on standard error, and the exit code of the sort of failure."""
    sys.stderr.write(f"{_mark_bad()} {_sentence(error)}\n")
    sys.exit(_exit_code(error))


def _mark_bad() -> str:
    return f"\x1b[31m{BAD}\x1b[0m" if coloured(sys.stderr) else BAD


def _sentence(error: BaseException) -> str:
    if _known(error):
        return str(error)
    if os.environ.get("NIGHTDESK_TRACEBACK"):
        raise error
    return (
        f"Something the desk did not foresee stopped it ({type(error).__name__}). Nothing accepted is lost: start it"
        " again. Set NIGHTDESK_TRACEBACK=1 to see where it happened, and report it."
    )


def _known(error: BaseException) -> bool:
    return type(error).__module__.startswith("nightdesk.")


def _exit_code(error: BaseException) -> int:
    codes = {
        "SettingsError": EXIT_SETTINGS,
        "SecretsError": EXIT_SETTINGS,
        "FeedError": EXIT_SETTINGS,
        "CannotListen": EXIT_SETTINGS,
        "LockUnavailable": EXIT_SETTINGS,
        "AlreadyRunning": EXIT_BUSY,
        "Fenced": EXIT_BUSY,
        "StoreUnavailable": EXIT_STORE,
        "StoreDamaged": EXIT_STORE,
        "SchemaTooNew": EXIT_STORE,
        "Unreachable": EXIT_UNREACHABLE,
    }
    return codes.get(type(error).__name__, EXIT_FAILED)
