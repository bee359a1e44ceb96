"""How long a connection may take to say what it wants, and how much it may say: uvicorn bounds neither."""

import asyncio
from asyncio import TimerHandle

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
MOST_HEAD = 64 * 1024


class PatientProtocol(HttpToolsProtocol):
    """HTTP/1.1 that closes a connection whose head does not arrive whole, in time and at a sensible size."""

    _alarm: TimerHandle | None = None
    _head: int | None = 0
    """Bytes received since the head of a request began, None while none is awaited."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """The connection has so long to send its first head."""
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """The bytes are read, and the connection is closed once its head is too large."""
        if self._head is not None:
            self._head += len(data)
        super().data_received(data)
        if self._head is not None and self._head > MOST_HEAD and not self.transport.is_closing():
            self.transport.close()

    def on_message_begin(self) -> None:
        """A head is awaited."""
        super().on_message_begin()
        if self._alarm is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._calm()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._calm()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._head = self._head or 0
        self._alarm = self.loop.call_later(HEAD_SECONDS, self._lose_patience)

    def _calm(self) -> None:
        self._head = None
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _lose_patience(self) -> None:
        self._alarm = None
        if not self.transport.is_closing():
            self.transport.close()
