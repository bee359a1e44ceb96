"""Reads beside the writer, over connections of their own."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from nightdesk.runtime.database import Database, PostgresConnection, SqliteConnection, StoreUnavailable, Tx

Result = TypeVar("Result")


class Reader:
    """Runs reads over a few connections of its own, so that no page ever waits for the writer or delays it."""

    def __init__(self, database: Database, *, most: int = 8) -> None:
        self._database = database
        self._most = most
        self._idle: list[SqliteConnection | PostgresConnection] = []

    def run(self, work: Callable[[Tx], Result]) -> Result:
        """What the work returned over one snapshot.

        Blocks, so call it from a worker thread. The work may be run again where the server ended an idle connection.
        """
        while True:
            connection, fresh = self._take()
            try:
                result = work(connection.begin_read())
                connection.rollback()
            except Exception as error:
                lost = connection.lost(error)
                # A connection that failed once is not used again.
                connection.close()
                if lost and not fresh:
                    continue
                if connection.unavailable(error):
                    raise StoreUnavailable(f"reading failed: {type(error).__name__}") from error
                raise
            if len(self._idle) < self._most:
                self._idle.append(connection)
            else:
                connection.close()
            return result

    def _take(self) -> "tuple[SqliteConnection | PostgresConnection, bool]":
        try:
            return self._idle.pop(), False
        except IndexError:
            return self._database.connect(read_only=True), True

    async def read(self, work: Callable[[Tx], Result]) -> Result:
        """As `run`, from an event loop, which goes on meanwhile."""
        return await asyncio.to_thread(self.run, work)

    def close(self) -> None:
        """All idle connections are closed."""
        while self._idle:
            self._idle.pop().close()
