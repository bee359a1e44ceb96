"""What of the log a person at a terminal gets to see: warnings, a line each. Everything is in the file."""

import logging
import sys
from pathlib import Path
from typing import TextIO, cast

from nightdesk.runtime.config import RuntimeConfig
from nightdesk.runtime.log_file import LogFile
from nightdesk.runtime.logging import Entry, Logs, open_logs
from nightdesk.runtime.redact import Redactor

_SHOWN = ("warning", "error", "critical")
_MARKS = {"warning": "◆"}
_NOT_FIELDS = ("timestamp", "level", "logger", "event", "exception", "stack")


def desk_logs(config: RuntimeConfig, *, redactor: Redactor, directory: Path, quiet: bool) -> Logs:
    """The logs are open; quiet, the terminal gets warnings in words and the file everything.

    Whoever chooses a format gets that, whole: `log_format` other than auto is never quiet.
    """
    if not quiet or config.log_format != "auto":
        return open_logs(config, redactor=redactor, directory=directory)
    file = LogFile(directory, max_bytes=config.log_max_bytes, days=config.log_days)
    logs = Logs(redactor=redactor, stream=cast(TextIO, _Lines(sys.stderr)), render=_in_words, file=file)
    logs.start(config.log_level)
    return logs


def hush_server() -> None:
    """The web server no longer tells that it starts and stops: the desk says so in words of its own."""
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).setLevel("WARNING")


class _Lines:
    """A stream that leaves out what was rendered as nothing."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """The text is on the stream, unless there is none."""
        if text.strip():
            self._stream.write(text)

    def flush(self) -> None:
        """What was written is out."""
        self._stream.flush()


def _in_words(entry: Entry) -> str:
    level = str(entry["level"])
    if level not in _SHOWN:
        return ""
    fields = ", ".join(f"{name} {value}" for name, value in entry.items() if name not in _NOT_FIELDS)
    told = f"{entry['event']}: {fields}" if fields else str(entry["event"])
    text = f"{_MARKS.get(level, '▲')} {str(entry['timestamp'])[11:19]} {told}"
    return "".join(each if each.isprintable() else "?" for each in text)
