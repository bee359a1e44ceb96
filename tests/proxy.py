"""A TCP relay between a client and a server that can cut the line at a chosen message."""

import contextlib
import select
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from psycopg import conninfo


class Proxy:
    """Relays 127.0.0.1 to a server, one thread per connection, until it is told to cut."""

    def __init__(self, reach: Callable[[], socket.socket]) -> None:
        self._reach = reach
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._cut = ""
        self._after_reply = 0.0
        self._closed = False
        self.refusing = False
        self.connections = 0
        self.cuts = 0
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def cut_before_next(self) -> None:
        """The client's next message does not reach the server, and the line is gone."""
        self._cut = "before"

    def cut_after_next(self, *, reply_within: float = 5.0) -> None:
        """The client's next message reaches the server, which answers or has so long to; the client hears nothing."""
        self._after_reply = reply_within
        self._cut = "after"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self._accepting.join()
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while not self._closed:
            if not select.select([self._listener], [], [], 0.02)[0]:
                continue
            client, _ = self._listener.accept()
            if self.refusing:
                client.close()
                continue
            self.connections += 1
            thread = threading.Thread(target=self._relay, args=(client, self._reach()), daemon=True)
            thread.start()
            self._threads.append(thread)

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        with client, server, contextlib.suppress(ConnectionError):
            while not self._closed:
                ready, _, _ = select.select([client, server], [], [], 0.02)
                for source in ready:
                    data = source.recv(65536)
                    if not data or (source is client and self._is_cut(server, data)):
                        return
                    (server if source is client else client).sendall(data)

    def _is_cut(self, server: socket.socket, data: bytes) -> bool:
        cut, self._cut = self._cut, ""
        if not cut:
            return False
        self.cuts += 1
        if cut == "after":
            server.sendall(data)
            select.select([server], [], [], self._after_reply)
        return True


def proxied(url: str) -> tuple[Proxy, str]:
    """A proxy to the PostgreSQL server of the URL, and the URL that leads through it."""
    parts = {name: str(value) for name, value in conninfo.conninfo_to_dict(url).items() if value is not None}
    host, port = parts.get("host", "127.0.0.1"), int(parts.get("port", 5432))

    def reach() -> socket.socket:
        if not host.startswith("/"):
            return socket.create_connection((host, port), timeout=5)
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{host}/.s.PGSQL.{port}")
        return server

    proxy = Proxy(reach)
    user, password = parts.get("user", "postgres"), parts.get("password", "")
    secret = f":{password}" if password else ""
    return proxy, f"postgresql://{user}{secret}@127.0.0.1:{proxy.port}/{parts.get('dbname', user)}?sslmode=disable"
