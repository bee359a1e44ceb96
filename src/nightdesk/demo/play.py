"""Posts alerts the way TradingView does."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from nightdesk.demo.alerts import Alert
from nightdesk.runtime.clock import Clock

_TIMEOUT = 3.0
_RESENDS = 3
_RESENT_AFTER = 5.0
_LONGEST_ANSWER = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How the sending of one alert ended; `status` is None where no answer came."""

    alert: Alert
    status: int | None
    tries: int


async def play(
    url: str,
    token: str,
    clock: Clock,
    alerts: Iterable[Alert],
    *,
    delivered: Callable[[Delivery], None] | None = None,
) -> None:
    """Every alert has been posted to `url`/`token` after its pause; returns when there are no more.

    As TradingView does it: application/json where the body is JSON and text/plain where not, an answer within 3 s,
    and up to 3 resends 5 s apart on 500 to 599 but 504. No answer is never resent. Plain http only.
    """
    host, port, path = _target(url, token)
    body = b""
    for alert in alerts:
        await clock.sleep(alert.pause)
        if not alert.again:
            body = alert.body(clock.now(), token)
        request = _request(host, port, path, body)
        tries = 1
        while _worth_resending(status := await _post(host, port, request, clock)) and tries <= _RESENDS:
            await clock.sleep(_RESENT_AFTER)
            tries += 1
        if delivered is not None:
            delivered(Delivery(alert=alert, status=status, tries=tries))


def _target(url: str, token: str) -> tuple[str, int, str]:
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname is None:
        raise ValueError("the address of the hook must begin with http:// and name a host, as the desk's own does")
    return parts.hostname, parts.port or 80, f"{parts.path.rstrip('/')}/{quote(token, safe='')}"


def _request(host: str, port: int, path: str, body: bytes) -> bytes:
    name = f"[{host}]" if ":" in host else host
    head = (
        f"POST {path} HTTP/1.1\r\n"
        f"Host: {name}:{port}\r\n"
        "User-Agent: Go-http-client/1.1\r\n"
        f"Content-Type: {_content_type(body)}; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body


def _content_type(body: bytes) -> str:
    try:
        json.loads(body)
    except ValueError:
        return "text/plain"
    return "application/json"


def _worth_resending(status: int | None) -> bool:
    return status is not None and 500 <= status <= 599 and status != 504


async def _post(host: str, port: int, request: bytes, clock: Clock) -> int | None:
    try:
        async with clock.timeout(_TIMEOUT):
            return await _exchange(host, port, request)
    except (OSError, ValueError, IndexError):  # refused, reset, too late (TimeoutError is an OSError), or no HTTP
        return None


async def _exchange(host: str, port: int, request: bytes) -> int:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        await writer.drain()
        status = int((await reader.readline()).split(maxsplit=2)[1])
        # The rest is of no interest, but a close with unread bytes would reset the connection under the desk.
        await reader.read(_LONGEST_ANSWER)
        return status
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
