"""A log file that starts anew when it is full or the day is over, and forgets what is old."""

import os
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import IO

_CLOSED = re.compile(r"nightdesk-(\d{4}-\d{2}-\d{2})(?:\.\d+)?\.log")


class LogFile:
    """Writes lines to `nightdesk.log`; closed files are `nightdesk-2026-11-20.log`, `nightdesk-2026-11-20.1.log`, ...

    All files have mode 0600. Days are UTC and taken from the lines themselves.
    """

    def __init__(self, directory: Path, *, max_bytes: int, days: int) -> None:
        self._directory = directory
        self._path = directory / "nightdesk.log"
        self._max_bytes = max_bytes
        self._days = days
        self._file: IO[bytes] | None = None
        self._size = 0
        self._day: date | None = None

    def write(self, line: str, at: datetime) -> None:
        """The line has been handed to the operating system; raises OSError where that cannot be."""
        data = line.encode(errors="backslashreplace") + b"\n"
        file = self._file or self._open(at)
        full = self._size and self._size + len(data) > self._max_bytes
        if full or (self._day is not None and at.date() > self._day):
            self._turn()
            file = self._open(at)
        file.write(data)
        self._size += len(data)

    def close(self) -> None:
        """The file is closed; a later line opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self, at: datetime) -> IO[bytes]:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(self._path, flags, 0o600)
        status = os.fstat(handle)
        self._file = os.fdopen(handle, "ab", buffering=0)
        self._size = status.st_size
        # A file that an earlier run left belongs to the day it was last written to.
        self._day = datetime.fromtimestamp(status.st_mtime, at.tzinfo).date() if self._size else at.date()
        self._forget(at.date() - timedelta(days=self._days))
        return self._file

    def _turn(self) -> None:
        self.close()
        day = self._day or date.min
        number = 0
        while (closed := self._closed_path(day, number)).exists():
            number += 1
        self._path.rename(closed)

    def _closed_path(self, day: date, number: int) -> Path:
        return self._directory / f"nightdesk-{day.isoformat()}{f'.{number}' if number else ''}.log"

    def _forget(self, oldest: date) -> None:
        for path in self._directory.iterdir():
            match = _CLOSED.fullmatch(path.name)
            if match and match[1] < oldest.isoformat():
                path.unlink(missing_ok=True)
