"""The kill switch: a flag in memory, a file and a row. It fails closed: any one of them, or one unreadable, halts."""

import hashlib
import hmac
import logging
import os
import threading
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from nightdesk.runtime.clock import Clock

log = logging.getLogger(__name__)

FILE_NAME = "HALT"
RESUME_WITHIN = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltState:
    """Whether trading is halted, why and by whom."""

    halted: bool
    reason: str = ""
    actor: str = ""


class HaltSwitch:
    """Known to every thread at once, and to a process that starts tomorrow."""

    def __init__(self, data_dir: Path, clock: Clock, *, look_every: float = 0.2) -> None:
        self._file = data_dir / FILE_NAME
        self._clock = clock
        self._look_every = look_every
        self._state = HaltState(halted=False)
        self._lock = threading.Lock()
        self._looked_at = -1.0

    @property
    def state(self) -> HaltState:
        """The state now; a file laid down by another process is noticed within `look_every` seconds."""
        now = self._clock.monotonic()
        if now - self._looked_at >= self._look_every:
            self._looked_at = now
            self._look()
        return self._state

    def halt(self, reason: str, actor: str) -> None:
        """Trading is halted here and now, and stays halted over a restart; the file is written before this returns."""
        with self._lock:
            self._state = HaltState(halted=True, reason=reason, actor=actor)
            try:
                write_halt_file(self._file, reason, actor)
            except OSError as error:
                # Halted here and now all the same; only the next start would not know.
                log.critical("halt.file_not_written", extra={"reason": error.strerror})

    def remember(self, reason: str, actor: str) -> None:
        """The flag is set from the database's row, as at start-up."""
        with self._lock:
            self._state = HaltState(halted=True, reason=reason, actor=actor)

    def lift(self) -> None:
        """The flag and the file are gone; the row has been changed before this is called."""
        with self._lock:
            self._file.unlink(missing_ok=True)
            self._state = HaltState(halted=False)

    def _look(self) -> None:
        try:
            text = self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        except OSError as error:
            text = f"desk\nthe halt file cannot be read ({error.strerror})"
        if not self._state.halted:
            actor, _, reason = text.partition("\n")
            with self._lock:
                self._state = HaltState(halted=True, reason=reason.strip(), actor=actor.strip() or "file")


def write_halt_file(path: Path, reason: str, actor: str) -> None:
    """The file that halts every desk over this data directory is on disk (0600)."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        os.write(handle, f"{actor}\n{reason}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def resume_digest(code: str) -> str:
    """What is stored of a resume code."""
    return hashlib.sha256(code.encode()).hexdigest()


def resume_matches(code: str, digest: str | None) -> bool:
    """True when the code is the one the digest was made from, in constant time."""
    return digest is not None and hmac.compare_digest(resume_digest(code).encode(), digest.encode())
