"""Work handed to the writer, and how its callers hear what became of it, each in its own loop or thread."""

import asyncio
import logging
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nightdesk.runtime.writer import Verb

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Job:
    """One item of work, who waits for it, and what came of it."""

    verb: "Verb[Any, Any]"
    item: Any
    future: "Future[Any] | asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop | None
    result: Any = None
    error: BaseException | None = None


def fail(jobs: list[Job], error: BaseException) -> None:
    """All of them have failed with the error; nobody has been told yet."""
    for job in jobs:
        job.error = error


def answer(jobs: list[Job]) -> None:
    """Everybody who waits is told, each loop by one call for all its jobs."""
    waiting: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in jobs:
        if job.loop is not None:
            waiting.setdefault(job.loop, []).append(job)
        else:
            _settle([job])
    for loop, theirs in waiting.items():
        try:
            loop.call_soon_threadsafe(_settle, theirs)
        except RuntimeError:
            # The loop has closed: nobody waits any more, and the work is durable all the same.
            log.debug("writer.answer_dropped", extra={"count": len(theirs)})


def _settle(jobs: list[Job]) -> None:
    for job in jobs:
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)
