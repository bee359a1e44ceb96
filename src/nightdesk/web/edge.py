"""The outermost layer: headers every answer carries, one line in the log, and no error that gets out whole."""

import logging
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    # Not no-referrer: with it browsers send "Origin: null" with our own forms, which the door then refuses.
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        b" form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
)


class Edge:
    """Wraps the application; it reads no bodies and holds nothing back, so streams pass as they come."""

    def __init__(self, app: ASGIApp, answer: Callable[[Request, Exception], Response]) -> None:
        self._app = app
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The request is answered, and noted by its route's template: a path may hold a token."""
        if scope["type"] != "http":
            return
        status = 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *_ALWAYS]
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except Exception as error:
            log.exception("a request failed", extra={"method": scope["method"], "route": _template(scope)})
            if status:
                raise
            await self._answer(Request(scope, receive), error)(scope, receive, send_on)
        level = logging.INFO if status >= 400 else logging.DEBUG
        if log.isEnabledFor(level):
            log.log(level, "request", extra={"method": scope["method"], "route": _template(scope), "status": status})


def _template(scope: Scope) -> str:
    return scope.get("template") or getattr(scope.get("route"), "path", "") or "no route"
