"""The ledger of signals, those not traded among them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from nightdesk.model.identifiers import SignalId
from nightdesk.web.api.params import SIGNAL_KEYS, cursor, read_cursor, read_filters, read_limit
from nightdesk.web.auth import Door, Who
from nightdesk.web.desk import Desk
from nightdesk.web.plain import PlainJson
from nightdesk.web.problems import Problem, WebCode
from nightdesk.web.records import order_fields, signal_fields
from nightdesk.web.store import orders_of_signal, signal, signals


def signal_routes(desk: Desk, door: Door) -> APIRouter:
    """`/api/signals` and `/api/signals/{signal_id}`."""
    router = APIRouter()
    operator = Annotated[Who, Depends(door.operator)]

    @router.get("/api/signals")
    def ledger(request: Request, _: operator) -> PlainJson:
        """The newest signals that fit the filters, and the cursor of the next page."""
        params = request.query_params
        filters, limit, after = read_filters(params, SIGNAL_KEYS), read_limit(params), read_cursor(params)
        found = desk.reader.run(lambda tx: signals(tx, filters, limit=limit + 1, after=after))
        page = found[:limit]
        more = cursor(page[-1].received_at, page[-1].signal_id) if len(found) > limit else None
        return PlainJson({"signals": [signal_fields(line) for line in page], "next": more})

    @router.get("/api/signals/{signal_id}")
    def one(signal_id: str, _: operator) -> PlainJson:
        """The signal and its orders."""
        key = SignalId(signal_id)
        line, orders = desk.reader.run(lambda tx: (signal(tx, key), orders_of_signal(tx, key)))
        if line is None:
            raise Problem(WebCode.NOT_FOUND, f"there is no signal {signal_id[:64]!a}", field="signal_id")
        return PlainJson({**signal_fields(line), "orders": [order_fields(each) for each in orders]})

    return router
