"""The outermost layer: headers every answer carries, one line in the log, and no error that gets out whole."""

import logging
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

WEBHOOK = "/api/webhook"

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

    def __init__(self, app: ASGIApp, answer: Callable[[Request, Exception], Response], intake: ASGIApp) -> None:
        self._app = app
        self._answer = answer
        self._intake = intake

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

        # An alert goes straight to the intake: matching routes would cost as much again as reading it.
        params = _webhook(scope["path"]) if scope["method"] == "POST" else None
        if params is not None:
            scope["path_params"] = params
        try:
            await (self._app if params is None else self._intake)(scope, receive, send_on)
        except Exception as error:
            log.exception("a request failed", extra={"method": scope["method"], "route": _template(scope)})
            if status:
                raise
            await self._answer(Request(scope, receive), error)(scope, receive, send_on)
        level = logging.INFO if status >= 400 else logging.DEBUG
        if log.isEnabledFor(level):
            log.log(level, "request", extra={"method": scope["method"], "route": _template(scope), "status": status})


def _webhook(path: str) -> dict[str, str] | None:
    """The parameters of the webhook's path, None for any other path."""
    if not path.startswith(WEBHOOK):
        return None
    rest = path[len(WEBHOOK) :]
    if not rest:
        return {}
    last = rest[1:]
    return {"token": last} if rest[0] == "/" and last and "/" not in last else None


def _template(scope: Scope) -> str:
    return scope.get("template") or getattr(scope.get("route"), "path", "") or "no route"
