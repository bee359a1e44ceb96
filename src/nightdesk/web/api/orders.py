"""Orders: the list, the story of one, and what a person does about them. The same gate as for alerts."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Request

from nightdesk.model.denial import DenyCode
from nightdesk.model.identifiers import ClOrdId
from nightdesk.sources.tradingview.numbers import decimal
from nightdesk.web.answers import Fields, answer
from nightdesk.web.api.params import ORDER_KEYS, cursor, read_cursor, read_filters, read_limit
from nightdesk.web.asking import read_asked, read_json
from nightdesk.web.auth import Door, Who
from nightdesk.web.body import read_bounded
from nightdesk.web.desk import Desk, PersonOrder, Settlement
from nightdesk.web.history.fields import history_fields
from nightdesk.web.history.store import history
from nightdesk.web.keys import idempotency_key
from nightdesk.web.plain import PlainJson
from nightdesk.web.problems import Problem, WebCode
from nightdesk.web.records import order_fields
from nightdesk.web.store import order as read_order
from nightdesk.web.store import orders as read_orders
from nightdesk.web.waiting import Waiting, wait_seconds

ACTIONS = ("approve", "decline", "abandon", "accept", "filled", "canceled", "rejected")
_SETTLEMENT_KEYS = frozenset({"action", "qty", "px", "text"})
_LONGEST_TEXT = 500


def order_routes(desk: Desk, door: Door, waiting: Waiting) -> APIRouter:
    """`/api/orders` and what hangs below it."""
    router = APIRouter()
    operator = Annotated[Who, Depends(door.operator)]

    @router.get("/api/orders")
    def orders(request: Request, _: operator) -> PlainJson:
        """The newest orders that fit the filters, and the cursor of the next page."""
        params = request.query_params
        filters, limit, after = read_filters(params, ORDER_KEYS), read_limit(params), read_cursor(params)
        found = desk.reader.run(lambda tx: read_orders(tx, filters, limit=limit + 1, after=after))
        page = found[:limit]
        more = cursor(page[-1].created_at, page[-1].cl_ord_id) if len(found) > limit else None
        return PlainJson({"orders": [order_fields(line) for line in page], "next": more})

    @router.get("/api/orders/{cl_ord_id}")
    def order(cl_ord_id: str, _: operator) -> PlainJson:
        """The order with everything that happened to it."""
        found = desk.reader.run(lambda tx: history(tx, ClOrdId(cl_ord_id)))
        if found is None:
            raise unknown_order(cl_ord_id)
        return PlainJson({**order_fields(found.order), "history": history_fields(found)})

    @router.post("/api/orders")
    async def place(request: Request, who: operator) -> PlainJson:
        """The order is durable, or refused with the reason; `?wait=true` waits for what becomes of it."""
        seconds = wait_seconds(request.query_params)
        key = idempotency_key(request.headers.get("idempotency-key"))
        asked = read_asked(await json_of(desk, request), explicit_id=key, actor=who.actor)
        status, fields = await placed(desk, waiting, asked, seconds)
        return PlainJson(fields, status)

    @router.post("/api/orders/{cl_ord_id}/cancel")
    async def cancel(cl_ord_id: str, who: operator) -> PlainJson:
        """The cancel is on its way; what came of it is in the order's history."""
        await desk.cancel(ClOrdId(cl_ord_id), who.actor)
        return PlainJson({"cl_ord_id": cl_ord_id, "code": "CANCEL_QUEUED"}, 202)

    @router.post("/api/orders/{cl_ord_id}/settle")
    async def settle(cl_ord_id: str, request: Request, who: operator) -> PlainJson:
        """The doubt is ended, or the held order answered, as the body says."""
        key = idempotency_key(request.headers.get("idempotency-key")) or ""
        await desk.settle(read_settlement(cl_ord_id, await json_of(desk, request), who.actor, key))
        return PlainJson(await to_thread.run_sync(partial(_settled, desk, cl_ord_id)))

    return router


async def placed(desk: Desk, waiting: Waiting, asked: PersonOrder, seconds: float = 0.0) -> tuple[int, Fields]:
    """The status and the body for an order of a person; a repeated id is answered with the first one's orders."""
    if seconds:
        return await waiting.accept(lambda: desk.place(asked), seconds)
    acceptance = await desk.place(asked)
    status, fields = answer(acceptance, desk.clock.now())
    return status, await waiting.with_first_orders(acceptance, fields)


async def json_of(desk: Desk, request: Request) -> dict[str, Any]:
    """The JSON object of the request's body, bounded like an alert's."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        # A form of another site can post text/plain without asking; JSON it cannot.
        raise Problem(WebCode.UNSUPPORTED_MEDIA_TYPE, f"the body is {kind[:40]!r}", field="Content-Type")
    length = request.headers.get("content-length")
    raw = await read_bounded(
        request.receive,
        declared=length.encode("latin-1") if length is not None else None,
        clock=desk.clock,
        most=desk.config.max_body,
        seconds=desk.config.body_timeout,
    )
    return read_json(raw)


def read_settlement(cl_ord_id: str, fields: Mapping[str, Any], actor: str, key: str) -> Settlement:
    """What a person decided; a Problem or Refused names the field that cannot be meant.

    The same key twice is one decision.
    """
    unknown = sorted(fields.keys() - _SETTLEMENT_KEYS)
    if unknown:
        known = ", ".join(sorted(_SETTLEMENT_KEYS))
        raise Problem(
            DenyCode.FIELD_INVALID, f"{unknown[0][:64]} is not known; known are {known}", field=unknown[0][:64]
        )
    action, text = fields.get("action"), fields.get("text") or ""
    if action not in ACTIONS:
        raise Problem(DenyCode.FIELD_INVALID, f"action must be one of {', '.join(ACTIONS)}", field="action")
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT:
        raise Problem(DenyCode.FIELD_INVALID, f"text must be at most {_LONGEST_TEXT} characters", field="text")
    qty, px = (fields.get(name) or None for name in ("qty", "px"))
    return Settlement(
        cl_ord_id=ClOrdId(cl_ord_id),
        action=str(action),
        actor=actor,
        qty=decimal(qty, "qty", positive=True) if qty is not None else None,
        px=decimal(px, "px", positive=True) if px is not None else None,
        text=text,
        explicit_id=key,
    )


def unknown_order(cl_ord_id: str) -> Problem:
    """The answer for an id that no order has."""
    return Problem(DenyCode.UNKNOWN_ORDER, f"there is no order {cl_ord_id[:64]!a}", field="cl_ord_id")


def _settled(desk: Desk, cl_ord_id: str) -> Fields:
    line = desk.reader.run(lambda tx: read_order(tx, ClOrdId(cl_ord_id)))
    return order_fields(line) if line is not None else {"cl_ord_id": cl_ord_id}
