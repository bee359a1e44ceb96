"""The exchange's memory: JSON lines that are only ever appended, and from which everything else is rebuilt.

Each append is one write to the operating system before anything acts on it. That survives `kill -9`, which is what the
ledger is for; fsync would add surviving a power cut, which no test of ours needs and each order would pay for.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nightdesk.model.errors import NightdeskError
from nightdesk.venues.paper.payload import Malformed, compact, read_object

NAME = "ledger.jsonl"


class LedgerError(NightdeskError):
    """The ledger cannot be used; the text names the file, the line and what to do."""


class Ledger:
    """One file, open for appending and locked against a second writer; `seq` numbers its lines from 1 without a gap."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            _lock(self._fd, path)
            whole, torn = _whole_lines(path.read_bytes())
            self._read = list(_numbered(whole, path))
            if torn:
                os.ftruncate(self._fd, len(whole))
        except BaseException:
            os.close(self._fd)
            raise
        self._size = len(whole)
        self.seq = len(self._read)
        self.torn = torn
        """How many bytes of an unfinished last line were cut off."""

    def replay(self) -> list[dict[str, Any]]:
        """The lines found when the file was opened; they are handed out once."""
        lines, self._read = self._read, []
        return lines

    def append(self, lines: Sequence[Mapping[str, object]]) -> None:
        """All lines are with the operating system, numbered on; or OSError, and none of them is in the file."""
        seq = self.seq
        data = "".join(f"{compact({'seq': seq + i, **line})}\n" for i, line in enumerate(lines, 1)).encode()
        try:
            done = 0
            while done < len(data):
                done += os.write(self._fd, data[done:])
        except OSError:
            self._undo()
            raise
        self._size += len(data)
        self.seq = seq + len(lines)

    def _undo(self) -> None:
        """Half a line must not be written on from: where it cannot be cut off, nothing is written any more."""
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """The file is closed and free for another writer."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """All whole lines of a ledger, also while another process writes it."""
    return list(_numbered(_whole_lines(path.read_bytes())[0], path))


def _whole_lines(data: bytes) -> tuple[bytes, int]:
    """The data up to the last line end, and how many bytes of an unfinished line follow."""
    end = data.rfind(b"\n") + 1
    return data[:end], len(data) - end


def _numbered(data: bytes, path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(data.splitlines(), 1):
        try:
            fields = read_object(line)
        except Malformed as e:
            raise LedgerError(f"{path} line {number}: {e}. Restore the file from a copy, or move it away.") from e
        if fields.get("seq") != number:
            found = fields.get("seq")
            raise LedgerError(f"{path} line {number}: seq is {found}. Restore the file from a copy, or move it away.")
        yield fields


def _lock(fd: int, path: Path) -> None:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        raise LedgerError(
            f"{path} is in use by another process. Stop the other paper exchange, or use another data directory."
        ) from e
