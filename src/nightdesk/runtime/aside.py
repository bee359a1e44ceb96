"""Work that may take long or block, done aside: in processes of their own that give way to the order path."""

import asyncio
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar, TypeVarTuple

Args = TypeVarTuple("Args")
Result = TypeVar("Result")

NICE = 10


class Aside:
    """A few processes at low priority; what runs there shares no interpreter lock and no core by right with orders."""

    def __init__(self, *, workers: int = 1) -> None:
        # Spawned, not forked: a fork would copy locks that other threads hold at that moment.
        self._pool = ProcessPoolExecutor(
            workers, mp_context=multiprocessing.get_context("spawn"), initializer=os.nice, initargs=(NICE,)
        )

    async def run(self, work: Callable[[*Args], Result], *args: *Args) -> Result:
        """What the work returned; it and its arguments are importable and picklable, as strategies are."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)

    def close(self) -> None:
        """Nothing new is begun, and the processes end with what they are doing."""
        self._pool.shutdown(wait=False, cancel_futures=True)
