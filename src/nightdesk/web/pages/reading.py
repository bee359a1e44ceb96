"""Orders and signals to read: the lists, and the story of each one."""

import secrets
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from nightdesk.model.identifiers import ClOrdId, SignalId
from nightdesk.runtime.database import Tx
from nightdesk.web.api.orders import unknown_order
from nightdesk.web.api.params import ORDER_KEYS, SIGNAL_KEYS, cursor, read_cursor, read_filters, read_limit
from nightdesk.web.auth import Door, Who
from nightdesk.web.desk import Desk
from nightdesk.web.feed import feed, outcome_words
from nightdesk.web.history.store import history
from nightdesk.web.pages.frame import frame
from nightdesk.web.pages.render import page
from nightdesk.web.problems import Problem, WebCode
from nightdesk.web.store import orders as read_orders
from nightdesk.web.store import orders_of_signal, signal, signals
from nightdesk.web.story import since, story_lines, tell


def reading_routes(desk: Desk, door: Door) -> APIRouter:
    """`/orders`, `/signals` and what hangs below them."""
    router = APIRouter(include_in_schema=False)
    operator = Annotated[Who, Depends(door.operator)]

    @router.get("/orders")
    def orders(request: Request, _: operator) -> Response:
        """The orders that fit the filters."""
        params = request.query_params
        filters, limit, after = read_filters(params, ORDER_KEYS), read_limit(params), read_cursor(params)
        found = desk.reader.run(lambda tx: read_orders(tx, filters, limit=limit + 1, after=after))
        lines = found[:limit]
        more = cursor(lines[-1].created_at, lines[-1].cl_ord_id) if len(found) > limit else None
        return page(
            "orders", desk=frame(desk), tab="orders", lines=lines, given=dict(params), more=_next(request, more)
        )

    @router.get("/orders/{cl_ord_id}")
    def story(cl_ord_id: str, _: operator) -> Response:
        """The story of one order."""
        found = desk.reader.run(lambda tx: history(tx, ClOrdId(cl_ord_id)))
        if found is None:
            raise unknown_order(cl_ord_id)
        text = "\n".join(story_lines(found))
        by_hand = {account.account_id for account in desk.status().accounts if account.kind == "manual"}
        return page(
            "story", desk=frame(desk), tab="orders", h=found, s=tell(found), since=since, text=text,
            by_hand=found.order.account_id in by_hand,
            key=secrets.token_hex(8),
        )  # fmt: skip

    @router.get("/signals")
    def ledger(request: Request, _: operator) -> Response:
        """The signals that fit the filters, traded or not."""
        params = request.query_params
        filters, limit, after = read_filters(params, SIGNAL_KEYS), read_limit(params), read_cursor(params)

        def read(tx: Tx) -> Response:
            found = signals(tx, filters, limit=limit + 1, after=after)
            shown = found[:limit]
            more = cursor(shown[-1].received_at, shown[-1].signal_id) if len(found) > limit else None
            return page(
                "signals", desk=frame(desk), tab="signals", rows=feed(tx, shown), given=dict(params),
                more=_next(request, more),
            )  # fmt: skip

        return desk.reader.run(read)

    @router.get("/signals/{signal_id}")
    def one(signal_id: str, _: operator) -> Response:
        """One signal, what it was read as and what became of it."""
        key = SignalId(signal_id)
        line, legs = desk.reader.run(lambda tx: (signal(tx, key), orders_of_signal(tx, key)))
        if line is None:
            raise Problem(WebCode.NOT_FOUND, f"there is no signal {signal_id[:64]!a}")
        return page("signal", desk=frame(desk), tab="signals", line=line, legs=legs, outcome=outcome_words(line, legs))

    return router


def _next(request: Request, more: str | None) -> str | None:
    if more is None:
        return None
    kept = {key: value for key, value in request.query_params.items() if key != "cursor" and value}
    return f"{request.url.path}?{urlencode({**kept, 'cursor': more})}"
