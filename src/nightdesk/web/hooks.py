"""The addresses that alerts are sent to. Raw bytes first: what they mean is decided behind `Desk.take_alert`.

This is a plain ASGI application behind two Starlette routes, because every alert pays for what stands on its path.
"""

import logging
from collections.abc import Mapping
from datetime import datetime

from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.runtime.database import StoreUnavailable
from nightdesk.runtime.writer import Overloaded
from nightdesk.web.answers import Fields, answer
from nightdesk.web.auth import bearer
from nightdesk.web.body import SenderGone, read_bounded, read_query
from nightdesk.web.buckets import Addresses, Buckets
from nightdesk.web.desk import Desk
from nightdesk.web.keys import idempotency_key
from nightdesk.web.plain import json_bytes
from nightdesk.web.problems import Problem, WebCode, as_problem, fields_of
from nightdesk.web.waiting import Waiting, wait_seconds

log = logging.getLogger(__name__)

WEBHOOK = "/api/webhook"
DEFAULT_HOOK = "default"
_WANTED = frozenset({b"authorization", b"content-encoding", b"content-length", b"idempotency-key", b"x-webhook-token"})
_TEMPLATES = ("/api/webhook", "/api/webhook/{token}")
_HEADERS = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))


class Intake:
    """Takes alerts: who sends it, how much and how fast, then the desk's durable answer."""

    def __init__(self, desk: Desk, addresses: Addresses, waiting: Waiting) -> None:
        self._desk = desk
        self._clock = desk.clock
        self._addresses = addresses
        self._config = desk.config
        rate = {"per_minute": desk.config.rate_per_minute, "burst": desk.config.rate_burst}
        self._by_address = Buckets(desk.clock, **rate)
        self._by_token = Buckets(desk.clock, **rate)
        self._waiting = waiting
        self._default_hook = _default_hook(desk.hooks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The alert is answered."""
        headers: Mapping[str, str] = {}
        # For the log: the path itself may hold the token.
        scope["template"] = _TEMPLATES["token" in scope["path_params"]]
        try:
            status, fields = await self._take(scope, receive)
        except SenderGone:
            return
        except Exception as error:
            problem = as_problem(error)
            if problem.code is WebCode.INTERNAL_ERROR:
                log.exception("an alert could not be answered")
            status, headers = problem.status, problem.headers
            fields = fields_of(problem, self._clock.now())
        body = json_bytes(fields)
        raw = [*_HEADERS, (b"content-length", b"%d" % len(body))]
        if headers:
            raw += [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    async def _take(self, scope: Scope, receive: Receive) -> tuple[int, Fields]:
        received_at = self._clock.now()
        self._by_address.spend(self._addresses.of(scope), "address")
        headers = {name: value for name, value in scope["headers"] if name in _WANTED}
        query = read_query(scope["query_string"]) if scope["query_string"] else {}
        given = _token_of(scope, headers, query)
        if given is not None:
            self._admit((given,))
        hook = query.get("hook", self._default_hook)
        try:
            key, seconds, raw = await self._read(headers, query, receive)
        except Problem as problem:
            if given is not None:
                problem.signal_id = await self._keep(hook, problem, received_at)
            raise
        if given is None:
            self._admit(self._desk.body_tokens(raw))
        if seconds:
            return await self._waiting.accept(
                lambda: self._desk.take_alert(hook, raw, idempotency_key=key, received_at=received_at), seconds
            )
        acceptance = await self._desk.take_alert(hook, raw, idempotency_key=key, received_at=received_at)
        status, fields = answer(acceptance, received_at)
        return status, await self._waiting.with_first_orders(acceptance, fields)

    async def _read(
        self, headers: Mapping[bytes, bytes], query: Mapping[str, str], receive: Receive
    ) -> tuple[str | None, float, bytes]:
        """The idempotency key, how long the sender waits, and the whole body."""
        encoding = headers.get(b"content-encoding", b"identity")
        if encoding.strip().lower() != b"identity":
            raise Problem(WebCode.UNSUPPORTED_ENCODING, field="Content-Encoding", close=True)
        sent_key = headers.get(b"idempotency-key")
        key = idempotency_key(sent_key.decode("latin-1")) if sent_key is not None else None
        seconds = wait_seconds(query)
        raw = await read_bounded(
            receive,
            declared=headers.get(b"content-length"),
            clock=self._clock,
            most=self._config.max_body,
            seconds=self._config.body_timeout,
        )
        return key, seconds, raw

    async def _keep(self, hook: str, problem: Problem, received_at: datetime) -> str | None:
        """The ledger holds what a known sender could not get across; without a database the answer is all there is."""
        code = problem.code if isinstance(problem.code, DenyCode) else DenyCode.INVALID_SIGNAL
        try:
            return await self._desk.refuse_alert(hook, Refused(code, problem.text, field=problem.field), received_at)
        except (StoreUnavailable, Overloaded):
            return None

    def _admit(self, given: tuple[str, ...]) -> None:
        for each in given:
            if self._desk.webhook_token.matches(each):
                # One token, one bucket.
                self._by_token.spend("webhook", "token")
                return
        raise Problem(DenyCode.INVALID_TOKEN, close=True)


def webhook_params(path: str) -> dict[str, str] | None:
    """The parameters of the webhook's path, None for any other path."""
    if not path.startswith(WEBHOOK):
        return None
    rest = path[len(WEBHOOK) :]
    if not rest:
        return {}
    last = rest[1:]
    return {"token": last} if rest[0] == "/" and last and "/" not in last else None


def hook_routes(intake: Intake) -> list[Route]:
    """The two addresses of the webhook, for every other method and for the list of routes."""
    return [
        Route(_TEMPLATES[0], intake, methods=["POST"], name="webhook", include_in_schema=False),
        Route(_TEMPLATES[1], intake, methods=["POST"], name="webhook_with_token", include_in_schema=False),
    ]


def _default_hook(hooks: tuple[str, ...]) -> str:
    """The hook of an alert that names none: `default`, or the only one there is."""
    return hooks[0] if len(hooks) == 1 and DEFAULT_HOOK not in hooks else DEFAULT_HOOK


def _token_of(scope: Scope, headers: Mapping[bytes, bytes], query: Mapping[str, str]) -> str | None:
    """The token outside the body: the first place that has one decides."""
    in_path: str | None = scope["path_params"].get("token")
    if in_path is not None:
        return in_path
    in_header = headers.get(b"x-webhook-token")
    if in_header is not None:
        return in_header.decode("latin-1")
    authorization = headers.get(b"authorization")
    if authorization is not None and (given := bearer(authorization.decode("latin-1"))) is not None:
        return given
    return query.get("token")
