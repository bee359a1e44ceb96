"""Positions: what is held, and the order that closes one."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from nightdesk.model.denial import DenyCode
from nightdesk.web.api.orders import json_of, placed
from nightdesk.web.asking import read_asked
from nightdesk.web.auth import Door, Who
from nightdesk.web.desk import Desk
from nightdesk.web.keys import idempotency_key
from nightdesk.web.plain import PlainJson, moment
from nightdesk.web.problems import Problem
from nightdesk.web.records import position_fields
from nightdesk.web.store import positions as read_positions
from nightdesk.web.waiting import Waiting, wait_seconds

_CLOSE_KEYS = frozenset({"symbol", "sleeve", "venues", "size"})


def position_routes(desk: Desk, door: Door, waiting: Waiting) -> APIRouter:
    """`/api/positions` and `/api/positions/close`."""
    router = APIRouter()
    operator = Annotated[Who, Depends(door.operator)]

    @router.get("/api/positions")
    def positions(_: operator) -> PlainJson:
        """Everything held, valued at the prices of this moment."""
        held = desk.reader.run(lambda tx: read_positions(tx, desk.prices))
        fields = [position_fields(line) for line in held]
        return PlainJson({"positions": fields, "timestamp": moment(desk.clock.now())})

    @router.post("/api/positions/close")
    async def close(request: Request, who: operator) -> PlainJson:
        """The order that closes a sleeve's position in a symbol is durable, or refused with the reason."""
        seconds = wait_seconds(request.query_params)
        key = idempotency_key(request.headers.get("idempotency-key"))
        fields = await json_of(desk, request)
        unknown = sorted(fields.keys() - _CLOSE_KEYS)
        if unknown:
            known = ", ".join(sorted(_CLOSE_KEYS))
            name = unknown[0][:64]
            raise Problem(DenyCode.FIELD_INVALID, f"{name} is not known; known are {known}", field=name)
        asked = read_asked({**fields, "close": True}, explicit_id=key, actor=who.actor)
        status, answered = await placed(desk, waiting, asked, seconds)
        return PlainJson(answered, status)

    return router
