"""One process at a time works on a data directory."""

import errno
import fcntl
import json
import os
import weakref
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from nightdesk.runtime.clock import Clock

_LARGEST = 4096


class AlreadyRunning(Exception):
    """Another process holds the data directory; says which, and what to do."""

    def __init__(self, data_dir: Path, pid: int | None, since: str | None) -> None:
        self.pid = pid
        if pid is None:
            words = f"Another process works on {data_dir}. Find it with: fuser {data_dir / ProcessLock.FILE}"
        elif _alive(pid):
            words = (
                f"A desk already works on {data_dir}: process {pid}{f', since {since}' if since else ''}. "
                f"Stop it with: kill {pid}. Or give this one a directory of its own with --data."
            )
        else:
            words = (
                f"{data_dir} is still held by a child of process {pid}, which itself is gone. "
                f"Find it with: fuser {data_dir / ProcessLock.FILE}"
            )
        super().__init__(words)


class LockUnavailable(Exception):
    """The lock can be neither taken nor refused: the file or its file system is not as it must be."""


class ProcessLock:
    """Held from `acquire` to `release` or the death of the process: the kernel frees it, also after kill -9.

    A process that is forked gives its copy up at once, so only the process that took the lock keeps it.
    """

    FILE = "nightdesk.lock"

    def __init__(self, data_dir: Path, clock: Clock) -> None:
        self._data_dir = data_dir
        self._clock = clock
        self._handle: int | None = None

    @property
    def held(self) -> bool:
        """True while this object holds the lock."""
        return self._handle is not None

    def acquire(self) -> None:
        """The lock is held and names this process; raises AlreadyRunning or LockUnavailable otherwise."""
        if self._handle is not None:
            return
        path = self._data_dir / self.FILE
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            handle = os.open(path, flags, 0o600)
        except OSError as e:
            reason = "it is a symbolic link; remove it" if path.is_symlink() else e.strerror
            raise LockUnavailable(f"{path} cannot be opened: {reason}.") from e
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            pid, since = _holder(handle)
            os.close(handle)
            if e.errno not in (errno.EAGAIN, errno.EACCES):
                words = f"{path} cannot be locked: {e.strerror}. Put the data directory on a local disk."
                raise LockUnavailable(words) from e
            raise AlreadyRunning(self._data_dir, pid, since) from e
        os.ftruncate(handle, 0)
        since = self._clock.now().isoformat(timespec="seconds")
        os.pwrite(handle, json.dumps({"pid": os.getpid(), "since": since}).encode(), 0)
        self._handle = handle
        _give_up_in_children(self)

    def release(self) -> None:
        """The lock is free.

        The file stays: removing it would let two processes lock two files of one name.
        """
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _give_up_in_children(lock: ProcessLock) -> None:
    reference = weakref.ref(lock)

    def close_copy() -> None:
        # Closing a copy does not unlock: the lock belongs to the open file, which the parent still has.
        held = reference()
        if held is not None:
            held.release()

    os.register_at_fork(after_in_child=close_copy)


def _holder(handle: int) -> tuple[int | None, str | None]:
    try:
        said = json.loads(os.pread(handle, _LARGEST, 0))
        pid, since = int(said["pid"]), datetime.fromisoformat(said["since"])
    except (OSError, ValueError, KeyError, TypeError):
        return None, None  # the other process is between locking and writing, or the file is not ours
    return (pid, since.isoformat()) if pid > 1 else (None, None)  # never advise kill -1


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
