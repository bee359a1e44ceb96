"""The kill switch. Halting takes one step, resuming two."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from nightdesk.model.denial import DenyCode
from nightdesk.risk.halt import RESUME_WITHIN
from nightdesk.web.api.orders import json_of
from nightdesk.web.auth import Door, Who
from nightdesk.web.desk import Desk
from nightdesk.web.plain import PlainJson, moment
from nightdesk.web.problems import Problem

_LONGEST = 200


def halt_routes(desk: Desk, door: Door) -> APIRouter:
    """`/api/halt` and `/api/resume`."""
    router = APIRouter()
    operator = Annotated[Who, Depends(door.operator)]

    @router.post("/api/halt")
    async def halt(request: Request, who: operator) -> PlainJson:
        """No new exposure from now on, over restarts, until somebody resumes."""
        reason = read_text(await json_of(desk, request), "reason") or "halted by the operator"
        await desk.halt(reason, who.actor)
        return PlainJson(
            {
                "halted": True,
                "reason": reason,
                "actor": who.actor,
                "next_step": "Find out why, then POST /api/resume, which asks for a confirmation.",
                "timestamp": moment(desk.clock.now()),
            }
        )

    @router.post("/api/resume")
    async def resume(request: Request, who: operator) -> PlainJson:
        """Without a code: the code that confirms. With it: trading again."""
        code = read_text(await json_of(desk, request), "confirm")
        if code:
            await desk.resume_confirm(code, who.actor)
            return PlainJson({"halted": False, "actor": who.actor, "timestamp": moment(desk.clock.now())})
        code = await desk.resume_begin(who.actor)
        return PlainJson(
            {
                "confirm": code,
                "expires_at": moment(desk.clock.now() + RESUME_WITHIN),
                "next_step": f'To trade again, POST /api/resume with {{"confirm": "{code}"}} within'
                f" {RESUME_WITHIN // timedelta(minutes=1)} minutes.",
            }
        )

    return router


def read_text(fields: dict[str, object], name: str) -> str:
    """The one text a body may have; the Problem FIELD_INVALID for anything else in it."""
    unknown = sorted(fields.keys() - {name})
    if unknown:
        raise Problem(DenyCode.FIELD_INVALID, f"{unknown[0][:64]} is not known; known is {name}", field=unknown[0][:64])
    value = fields.get(name, "")
    if not isinstance(value, str) or len(value) > _LONGEST or not value.isprintable():
        text = f"{name} must be a text of at most {_LONGEST} printable characters"
        raise Problem(DenyCode.FIELD_INVALID, text, field=name)
    return value.strip()
