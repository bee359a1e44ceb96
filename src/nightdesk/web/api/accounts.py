"""Accounts: how each one stands, and the acknowledgement that ends a mismatch."""

from typing import Annotated

from fastapi import APIRouter, Depends

from nightdesk.model.identifiers import AccountId
from nightdesk.web.auth import Door, Who
from nightdesk.web.desk import AccountStatus, Desk
from nightdesk.web.plain import PlainJson, maybe_moment


def account_fields(account: AccountStatus) -> dict[str, object]:
    """The account as the API answers it."""
    return {
        "account_id": account.account_id,
        "venue": account.venue,
        "kind": account.kind,
        "live": account.live,
        "state": account.state.value,
        "state_reason": account.state_reason,
        "reconciled_at": maybe_moment(account.reconciled_at),
        "waiting": account.waiting,
        "last_answer_ms": account.last_answer_ms,
    }


def account_routes(desk: Desk, door: Door) -> APIRouter:
    """`/api/accounts` and `/api/accounts/{id}/acknowledge`."""
    router = APIRouter()
    operator = Annotated[Who, Depends(door.operator)]

    @router.get("/api/accounts")
    def accounts(_: operator) -> PlainJson:
        """How each account stands."""
        return PlainJson({"accounts": [account_fields(account) for account in desk.status().accounts]})

    @router.post("/api/accounts/{account_id}/acknowledge")
    async def acknowledge(account_id: str, who: operator) -> PlainJson:
        """The venue's truth is booked to EXTERNAL, and the account trades again."""
        await desk.acknowledge(AccountId(account_id), who.actor)
        return PlainJson({"account_id": account_id, "acknowledged": True})

    return router
