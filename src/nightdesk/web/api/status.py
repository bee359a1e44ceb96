"""What is so right now, for a program."""

from typing import Annotated

from fastapi import APIRouter, Depends

from nightdesk.web.api.accounts import account_fields
from nightdesk.web.api.health import health_fields
from nightdesk.web.auth import Door, Who
from nightdesk.web.desk import Desk
from nightdesk.web.glance import Glance, look
from nightdesk.web.plain import PlainJson, moment, number


def status_routes(desk: Desk, door: Door) -> APIRouter:
    """`/api/status`."""
    router = APIRouter()

    @router.get("/api/status")
    def status(_: Annotated[Who, Depends(door.operator)]) -> PlainJson:
        """The state in one sentence, its figures, the accounts and what waits for a person."""
        return PlainJson(_fields(desk, look(desk)))

    return router


def _fields(desk: Desk, seen: Glance) -> dict[str, object]:
    status = seen.status
    return {
        **health_fields(desk, status, private=True),
        "components": [{"name": each.name, "status": each.status, "text": each.text} for each in status.components],
        "sentence": seen.headline,
        "meaning": seen.meaning,
        "halted": status.halted,
        "halt_reason": status.halt_reason or None,
        "halt_actor": status.halt_actor or None,
        "market": status.market,
        "market_simulated": status.market_simulated,
        "accounts": [account_fields(account) for account in status.accounts],
        "needs_you": [
            {"kind": each.kind, "subject": each.subject, "title": each.title, "text": each.text} for each in seen.todos
        ],
        "today": {
            "since": moment(seen.day),
            "signals": seen.today.signals,
            "orders": seen.today.orders,
            "in_doubt": seen.today.in_doubt,
            "pnl": number(seen.pnl),
        },
        "exposure": number(seen.exposure),
        "equity": number(seen.equity),
        "timestamp": moment(seen.now),
    }
