"""Named places where a test may end the process as `kill -9` would: `CRASH_AT=name:n` (the n-th passage) does it."""

import os
import signal

_ARMED: dict[str, int] = {}


def arm(spec: str) -> None:
    """The process will end itself at the named point, at its n-th passage; an empty text disarms all."""
    _ARMED.clear()
    for part in filter(None, spec.split(",")):
        name, _, count = part.partition(":")
        _ARMED[name] = int(count or 1)


def reached(name: str) -> None:
    """The process has passed the named point, or is dead if it was armed here."""
    if not _ARMED:
        return
    left = _ARMED.get(name)
    if left is None:
        return
    if left <= 1:
        os.kill(os.getpid(), signal.SIGKILL)
    _ARMED[name] = left - 1


# lint: allow environment: a crash point is armed before any setting is read, and no setting may arm one
arm(os.environ.get("CRASH_AT", ""))
