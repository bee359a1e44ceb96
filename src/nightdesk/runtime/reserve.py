"""A file that takes up room, so that there is some to give back when the disk is full."""

import os
import shutil
from pathlib import Path

SIZE = 16 * 1024 * 1024


class Reserve:
    """Room kept for the moment when there is none: enough to record what is under way and to halt in order."""

    def __init__(self, path: Path, *, size: int = SIZE) -> None:
        self._path = path
        self._size = size

    def hold(self) -> bool:
        """True when the room is taken; False where the disk is too full to keep any back."""
        if self._path.exists():
            return True
        if shutil.disk_usage(self._path.parent).free < 4 * self._size:
            return False
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            # Written, not only sized: a file with holes gives nothing back.
            os.posix_fallocate(handle, 0, self._size)
        except OSError:
            self._path.unlink(missing_ok=True)
            return False
        finally:
            os.close(handle)
        return True

    def release(self) -> bool:
        """True when there was room to give back, and it is free now."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True


_SQLITE_FULL = 13
_SQLITE_IOERR_WRITE = 778
_POSTGRES_DISK_FULL = "53100"


def is_full(error: BaseException) -> bool:
    """True for a database's word that there is no room left, on either of the two."""
    code = getattr(error, "sqlite_errorcode", 0) or 0
    return (
        code & 0xFF == _SQLITE_FULL
        or code == _SQLITE_IOERR_WRITE
        or getattr(error, "sqlstate", None) == _POSTGRES_DISK_FULL
    )
