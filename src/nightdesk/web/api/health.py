"""Whether the desk is alive, ready and well. Open to everybody, so it says no more than that."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from nightdesk.model.enums import TradingState
from nightdesk.web.auth import Door, Who
from nightdesk.web.desk import Desk, DeskStatus
from nightdesk.web.plain import PlainJson, maybe_moment, moment
from nightdesk.web.problems import WebCode, problem_fields

_SEVERITY = ("healthy", "degraded", "down")
_STORES = frozenset({"database", "writer", "store"})


def health_routes(desk: Desk, door: Door) -> APIRouter:
    """`/api/health`, `/api/health/live`, `/api/health/ready` and `/health`."""
    router = APIRouter()

    async def anybody(request: Request) -> Who | None:
        return door.look(request)

    @router.get("/health")
    @router.get("/api/health")
    def health(who: Annotated[Who | None, Depends(anybody)]) -> PlainJson:
        """200 while healthy or degraded, 503 when down; what the parts say in words is for the operator."""
        status = desk.status()
        down = status.health == "down"
        fields = health_fields(desk, status, private=who is not None)
        if down:
            fields = {**problem_fields(WebCode.DESK_DOWN, WebCode.DESK_DOWN.meaning, now=desk.clock.now()), **fields}
        return PlainJson(fields, 503 if down else 200, {"retry-after": "2"} if down else None)

    @router.get("/api/health/live")
    async def live() -> PlainJson:
        """200: the process answers."""
        return PlainJson({"status": "live"})

    @router.get("/api/health/ready")
    def ready() -> PlainJson:
        """200 once an account has been compared with its venue and while the database takes writes, else 503."""
        why = not_ready(desk.status())
        if why is None:
            return PlainJson({"status": "ready"})
        fields = problem_fields(WebCode.NOT_READY, why, now=desk.clock.now())
        return PlainJson({**fields, "status": "not ready"}, 503, {"retry-after": "2"})

    return router


def not_ready(status: DeskStatus) -> str | None:
    """Why no signal should be sent here yet, None when it may be.

    One venue that hangs at the start must not keep alerts from the others, so one reconciled account is enough.
    """
    if any(each.name in _STORES and each.status == "down" for each in status.components):
        return "the database takes no writes"
    states = {account.state for account in status.accounts}
    if states == {TradingState.RECONCILING}:
        return "no account has been compared with its venue yet"
    return None


def health_fields(desk: Desk, status: DeskStatus, *, private: bool) -> dict[str, object]:
    """The health of the desk and its parts; why, and which version it is, for the operator alone."""
    last = status.last_signal_at
    age = None if last is None else round(max(0.0, (desk.clock.now() - last).total_seconds()), 3)
    fields: dict[str, object] = {
        "status": status.health,
        "components": {each.name: each.status for each in status.components} if private else _kinds(status),
        "uptime_seconds": round(status.uptime_seconds, 3),
        "last_signal_age_seconds": age,
    }
    if private:
        fields |= {
            "details": {each.name: each.text for each in status.components},
            "last_signal_at": maybe_moment(last),
            "started_at": moment(status.started_at),
            "version": status.version,
        }
    return fields


def _kinds(status: DeskStatus) -> dict[str, str]:
    """The worst of each kind of part: `account north` is an account to strangers, whose is not their business."""
    worst: dict[str, str] = {}
    for each in status.components:
        kind = each.name.partition(" ")[0]
        worst[kind] = max(worst.get(kind, "healthy"), each.status, key=_SEVERITY.index)
    return worst
