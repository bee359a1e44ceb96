"""Row 68: what blocks does so in a process of its own, behind the order path."""

import os
import time

import pytest

from nightdesk.runtime.aside import NICE, Aside


def whereabouts(seconds: float) -> tuple[int, int]:
    time.sleep(seconds)
    return os.getpid(), os.nice(0)


def fails() -> None:
    raise ZeroDivisionError("in the strategy")


async def test_work_runs_elsewhere_at_low_priority() -> None:
    aside = Aside()
    try:
        pid, nice = await aside.run(whereabouts, 0.0)
        assert pid != os.getpid()
        assert nice == os.nice(0) + NICE
    finally:
        aside.close()


async def test_what_the_work_raised_is_raised_here() -> None:
    aside = Aside()
    try:
        with pytest.raises(ZeroDivisionError, match="in the strategy"):
            await aside.run(fails)
    finally:
        aside.close()
