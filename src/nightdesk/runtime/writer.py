"""The one thread that writes: it gathers waiting work into a transaction, commits once, then answers everybody.

Work is a verb and an item: `verb(tx, items)` returns one result per item, in their order. A verb may be run again
after a rollback, so it does nothing but read and write through its `tx`.
"""

import asyncio
import logging
import os
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from nightdesk.runtime import store
from nightdesk.runtime.clock import Clock
from nightdesk.runtime.crashpoints import reached
from nightdesk.runtime.database import (
    CommitUnknown,
    Database,
    PostgresConnection,
    SqliteConnection,
    StoreUnavailable,
    Tx,
)
from nightdesk.runtime.jobs import Job, answer, fail
from nightdesk.runtime.reserve import is_full

log = logging.getLogger(__name__)

Item = TypeVar("Item", contravariant=True)
Result = TypeVar("Result", covariant=True)
Value = TypeVar("Value")

MOST_IN_A_BATCH = 256
MOST_WAITING = 20_000
LEASE_SECONDS = 10.0
CROWD = 8
GATHER_SECONDS = 0.002
_TRIES = 3


class Verb(Protocol[Item, Result]):
    """A unit of work over many items at once."""

    def __call__(self, tx: Tx, items: Sequence[Item], /) -> Sequence[Result]:
        """One result per item, in their order."""


class Overloaded(Exception):
    """More work is waiting than the writer takes; nothing of this item was kept."""


class Again(Exception):
    """Raised by a verb that lost a race with another process: its work is rolled back and run once more."""


class Fenced(Exception):
    """Another process has taken this writer's place; nothing more may be written or sent by this one."""


def _one(tx: Tx, works: Sequence[Callable[[Tx], Any]]) -> Sequence[Any]:
    return [work(tx) for work in works]


class Writer:
    """Runs verbs in batches on its own thread and connection, fenced against a second writer of the same name."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        *,
        name: str,
        holder: str,
        lease: float = LEASE_SECONDS,
        on_full: Callable[[], bool] = lambda: False,
    ) -> None:
        self._database = database
        self._clock = clock
        self._name = name
        self._holder = holder
        self._lease = lease
        # Called when the disk is full; True when it made some room, and the same work may fit now.
        self._on_full = on_full
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._connection: SqliteConnection | PostgresConnection | None = None
        self._thread: threading.Thread | None = None
        # Held while work is handed over, so that none can slip in behind the end of the queue.
        self._door = threading.Lock()
        self._open = False
        self._fence = 0
        self._batch = 0
        self._lease_ends = 0.0
        self._fenced = False
        self._failing = False
        self._crowd = 0
        self.batches = 0
        self.items = 0

    def start(self) -> None:
        """The writer holds its place and takes work.

        Raises Fenced if a living process holds the place, StoreUnavailable if the database takes no write.
        """
        connection = self._database.connect()
        try:
            self._take_place(connection)
        except Exception as error:
            connection.close()
            if connection.unavailable(error):
                raise StoreUnavailable(f"{type(error).__name__}: {_first_line(error)}") from error
            raise
        self._connection, self._open = connection, True
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """All work handed over before has been answered, and the place is free for the next process."""
        if self._thread is None:
            return
        with self._door:
            self._open = False
            self._jobs.put(None)
        self._thread.join()
        self._thread = None
        if self._connection is not None:
            self._leave_place(self._connection)
            self._connection.close()

    @property
    def failing(self) -> bool:
        """True while the database takes no writes."""
        return self._failing

    @property
    def waiting(self) -> int:
        """How many items wait, roughly."""
        return self._jobs.qsize()

    def holds_lease(self) -> bool:
        """True while no other process can have taken this writer's place."""
        if self._fenced or not self._open:
            return False
        return not self._database.postgres or self._clock.monotonic() < self._lease_ends

    async def run(self, verb: Verb[Item, Value], item: Item) -> Value:
        """The verb's result for the item, once it is durable."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Value] = loop.create_future()
        self._put(Job(verb, item, future, loop))
        return await future

    def run_blocking(self, verb: Verb[Item, Value], item: Item, *, seconds: float = 30.0) -> Value:
        """As `run`, for threads without an event loop."""
        future: Future[Value] = Future()
        self._put(Job(verb, item, future, None))
        return future.result(seconds)

    async def call(self, work: Callable[[Tx], Value]) -> Value:
        """What the work returned, once it is durable."""
        result: Value = await self.run(_one, work)
        return result

    def call_blocking(self, work: Callable[[Tx], Value]) -> Value:
        """As `call`, for threads without an event loop."""
        result: Value = self.run_blocking(_one, work)
        return result

    def _put(self, job: Job) -> None:
        with self._door:
            if self._fenced:
                raise Fenced("this process no longer writes; another one has taken over")
            if not self._open:
                raise StoreUnavailable("the writer has stopped; start the desk again")
            if self._jobs.qsize() >= MOST_WAITING:
                raise Overloaded(f"{MOST_WAITING} items are waiting to be written")
            self._jobs.put(job)

    # Below: the writer's own thread.

    def _run(self) -> None:
        # A lease that nobody's work renews is renewed for its own sake.
        idle = self._lease / 3 if self._database.postgres else None
        while True:
            try:
                job = self._jobs.get(timeout=idle)
            except queue.Empty:
                self._do([])
                continue
            if job is None:
                return
            jobs, last = self._gather(job)
            self._crowd = len(jobs)
            self._do(jobs)
            answer(jobs)
            if last:
                return

    def _gather(self, first: Job) -> tuple[list[Job], bool]:
        """Everything that waits, in its order, and whether the end was asked for.

        After a full batch its callers come back within a moment: starting on the first of them would cost a commit for
        a few and keep the others waiting for it.
        """
        jobs = [first]
        until = self._clock.monotonic() + GATHER_SECONDS if self._crowd >= CROWD else 0.0
        while len(jobs) < MOST_IN_A_BATCH:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                left = until - self._clock.monotonic() if until and len(jobs) < self._crowd else 0.0
                if left <= 0.0:
                    break
                try:
                    job = self._jobs.get(timeout=left)
                except queue.Empty:
                    break
            if job is None:
                return jobs, True
            jobs.append(job)
        return jobs, False

    def _do(self, jobs: list[Job]) -> None:
        try:
            self._transact(jobs)
            self._failing = False
        except Fenced as error:
            self._fenced = True
            fail(jobs, error)
        except StoreUnavailable as error:
            if not self._failing:
                log.error("store.unavailable", extra={"reason": str(error)})
            self._failing = True
            fail(jobs, error)
        except Exception as error:  # noqa: BLE001 - whatever one item raised is the answer to that item
            if len(jobs) <= 1:
                fail(jobs, error)
                return
            # One bad item must not take its neighbours down: each is run alone.
            for job in jobs:
                self._do([job])

    def _transact(self, jobs: list[Job]) -> None:
        for attempt in range(1, _TRIES + 1):
            connection = self._connected()
            self._batch += 1
            # The lease is counted from before the update, so ours always ends no later than the database's.
            began = self._clock.monotonic()
            after: list[Callable[[], None]] = []
            committing = False
            try:
                tx = connection.begin()
                self._check_place(tx)
                _run_verbs(tx, jobs)
                after = tx.take_after()
                reached("writer.before_commit")
                committing = True
                connection.commit()
                reached("writer.after_commit")
            except Exception as error:
                lost = connection.lost(error)
                self._undo(connection)
                if committing and lost and self._was_committed():
                    self._finish(jobs, after, began)
                    return
                again = lost or isinstance(error, Again) or connection.contended(error) or self._made_room(error)
                if again and attempt < _TRIES:
                    continue
                if again or connection.unavailable(error):
                    raise StoreUnavailable(f"{type(error).__name__}: {_first_line(error)}") from error
                raise
            self._finish(jobs, after, began)
            return

    def _made_room(self, error: BaseException) -> bool:
        return is_full(error) and self._on_full()

    def _finish(self, jobs: list[Job], after: list[Callable[[], None]], began: float) -> None:
        self._lease_ends = began + self._lease
        self.batches += 1
        self.items += len(jobs)
        for call in after:
            try:
                call()
            except Exception:
                # The work is durable: a call that fails after it must not have it run again.
                log.exception("writer.after_commit_failed")

    def _connected(self) -> "SqliteConnection | PostgresConnection":
        if self._connection is None:
            self._connection = self._database.connect()
        return self._connection

    def _undo(self, connection: "SqliteConnection | PostgresConnection") -> None:
        try:
            connection.rollback()
        except Exception:  # noqa: BLE001 - a connection that cannot even roll back is replaced, which rolls back
            connection.close()
            self._connection = None
        if connection.dead:
            self._connection = None

    def _was_committed(self) -> bool:
        """After a connection died inside COMMIT: what the database says became of that batch."""
        try:
            connection = self._connected()
            # Waits for the row that the lost transaction holds, so the answer is final.
            fence, batch, _, _ = store.place(connection.begin(), self._name)
            connection.rollback()
        except Exception as error:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            # To run the work again could do it twice; to call it undone could be untrue.
            raise CommitUnknown(
                f"the connection died inside COMMIT and could not be made anew ({type(error).__name__}): what was"
                " written last is there whole or not at all; read it again before you repeat it"
            ) from error
        if fence != self._fence:
            raise Fenced(f"writer {self._name}: another process has taken over")
        return batch == self._batch

    def _check_place(self, tx: Tx) -> None:
        if not store.touch_place(tx, self._name, self._fence, self._batch, int(self._lease * 1_000_000)):
            raise Fenced(f"writer {self._name}: another process has taken over")

    def _take_place(self, connection: "SqliteConnection | PostgresConnection") -> None:
        began = self._clock.monotonic()
        now = connection.now_micros()
        fence, batch, holder, lease_until = store.place(tx := connection.begin(), self._name)
        if connection.postgres and lease_until > now and holder and not _gone(holder, self._holder):
            raise Fenced(
                f"another desk holds this database ({holder}); stop it, or wait"
                f" {(lease_until - now) / 1_000_000:.0f} s for its lease to end"
            )
        self._fence, self._batch = fence + 1, batch
        store.take_place(tx, self._name, self._fence, self._holder, now + int(self._lease * 1_000_000))
        connection.commit()
        self._lease_ends = began + self._lease

    def _leave_place(self, connection: "SqliteConnection | PostgresConnection") -> None:
        try:
            store.leave_place(connection.begin(), self._name, self._fence)
            connection.commit()
        except Exception as error:  # noqa: BLE001 - whatever hinders it, the lease ends by itself
            log.warning("writer.place_not_left", extra={"reason": _first_line(error)})


def _run_verbs(tx: Tx, jobs: list[Job]) -> None:
    # Neighbours with the same verb are handed to it together (a bound method equals itself but is a new object each
    # time); the order of the work is kept.
    start = 0
    for end in range(1, len(jobs) + 1):
        if end < len(jobs) and jobs[end].verb == jobs[start].verb:
            continue
        group = jobs[start:end]
        for job, result in zip(group, group[0].verb(tx, [job.item for job in group]), strict=True):
            job.result = result
        start = end


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:200]


def _gone(holder: str, asking: str) -> bool:
    """True when the holder ran on the asking machine and its process no longer exists."""
    host, _, pid = holder.rpartition(":")
    if host != asking.rpartition(":")[0] or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
