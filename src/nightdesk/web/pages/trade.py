"""Orders by hand: the form, and the button that closes a position."""

import secrets
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from nightdesk.model.denial import DenyCode
from nightdesk.model.identifiers import Symbol
from nightdesk.web.api.orders import placed
from nightdesk.web.asking import read_asked
from nightdesk.web.auth import Door, Who
from nightdesk.web.desk import Desk
from nightdesk.web.keys import idempotency_key
from nightdesk.web.pages.acts import back, needed
from nightdesk.web.pages.entry import form_of
from nightdesk.web.pages.frame import frame
from nightdesk.web.pages.render import page
from nightdesk.web.problems import Problem
from nightdesk.web.waiting import Waiting

_ORDER_FIELDS = ("symbol", "side", "size", "size_unit", "order_type", "price", "stop_price", "venues", "sleeve")
_WAIT = 3.0


def trade_routes(desk: Desk, door: Door, waiting: Waiting) -> APIRouter:
    """`/trade` and where it posts to."""
    router = APIRouter(include_in_schema=False)
    operator = Annotated[Who, Depends(door.operator)]

    @router.get("/trade")
    def ask_order(request: Request, _: operator) -> Response:
        """The form for an order. Its key makes a second click on the same form the same order."""
        live = any(account.live for account in desk.status().accounts)
        return page(
            "trade", desk=frame(desk), tab="trade", given=dict(request.query_params), live=live,
            key=secrets.token_hex(8), **_choices(desk),
        )  # fmt: skip

    @router.post("/act/order")
    async def order(request: Request, who: operator) -> Response:
        """The order is placed, and its story is the next page, also where it was denied."""
        form = await form_of(desk, request)
        await _confirmed(desk, form)
        fields: dict[str, object] = {name: form[name].strip() for name in _ORDER_FIELDS if form.get(name, "").strip()}
        if "venues" in fields:
            fields["venues"] = [form["venues"].strip()]
        fields["reduce_only"] = form.get("reduce_only") == "yes"
        return await _placed(desk, waiting, fields, form, who)

    @router.post("/act/close")
    async def close(request: Request, who: operator) -> Response:
        """The order that closes the position is placed, and its story is the next page."""
        form = await form_of(desk, request)
        await _confirmed(desk, form)
        fields: dict[str, object] = {name: needed(form, name) for name in ("symbol", "sleeve")}
        fields |= {"venues": [needed(form, "venue")], "close": True}
        return await _placed(desk, waiting, fields, form, who)

    return router


async def _placed(
    desk: Desk, waiting: Waiting, fields: Mapping[str, object], form: Mapping[str, str], who: Who
) -> Response:
    key = idempotency_key(f"page-{needed(form, 'key')}")
    _, answered = await placed(desk, waiting, read_asked(fields, explicit_id=key, actor=who.actor), _WAIT)
    legs = answered.get("results")
    if isinstance(legs, list) and len(legs) == 1:
        return back(f"/orders/{legs[0]['cl_ord_id']}")
    return back(f"/signals/{answered['signal_id']}")


async def _confirmed(desk: Desk, form: Mapping[str, str]) -> None:
    """Where real money moves the form must say that it is meant."""
    status = await to_thread.run_sync(desk.status)
    if any(account.live for account in status.accounts) and form.get("confirmed") != "yes":
        text = "this moves real money; tick the box that says so"
        raise Problem(DenyCode.FIELD_MISSING, text, field="confirmed")


def _choices(desk: Desk) -> dict[str, Any]:
    listed: dict[str, list[str]] = {}
    for venue, instruments in desk.instruments.items():
        for instrument in instruments:
            listed.setdefault(instrument.symbol, []).append(venue)
    prices: dict[str, Decimal] = {}
    for symbol in listed:
        quote = desk.prices.quote(Symbol(symbol))
        if quote is not None:
            prices[symbol] = quote.mid
    return {"symbols": dict(sorted(listed.items())), "venues": sorted(desk.instruments), "prices": prices}
