"""What waits for a person, each with what it means and the one thing to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass

from nightdesk.model.enums import Doubt, OrdStatus, TradingState
from nightdesk.web.desk import AccountStatus, DeskStatus
from nightdesk.web.records import OrderLine
from nightdesk.web.words import amount, did, wish

_DOUBTS = {
    Doubt.UNKNOWN: "{venue} did not answer, so it is not known whether it took the order.",
    Doubt.MISSING: "{venue} took the order and no longer knows it.",
    Doubt.DISPUTED: "What {venue} said about the order cannot all be true.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One button: where it posts what, or, without fields, the page it leads to."""

    label: str
    path: str
    fields: tuple[tuple[str, str], ...] = ()
    ask: str = ""
    """What will happen, asked once before it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """One thing that needs a person; `kind` is doubt, held, by_hand, mismatch or halt."""

    kind: str
    subject: str
    title: str
    text: str
    actions: tuple[Action, ...]


def todos(status: DeskStatus, waiting: Iterable[OrderLine]) -> list[Todo]:
    """Everything that needs a person, the most pressing first."""
    by_hand = {account.account_id for account in status.accounts if account.kind == "manual"}
    found = [_halt(status)] if status.halted else []
    found += [_mismatch(account) for account in status.accounts if account.state is TradingState.REDUCING]
    for line in waiting:
        if line.doubt is not Doubt.NONE:
            found.append(_doubt(line))
        elif line.ord_status is OrdStatus.HELD:
            found.append(_held(line))
        elif line.account_id in by_hand:
            found.append(_by_hand(line))
    return found


def _halt(status: DeskStatus) -> Todo:
    return Todo(
        kind="halt",
        subject="desk",
        title="Trading is halted",
        text=f"{status.halt_actor or 'Somebody'} halted it: {status.halt_reason or 'no reason given'}."
        " Nothing opens a position until you resume, in two steps.",
        actions=(Action(label="Resume trading", path="/resume"),),
    )


def _mismatch(account: AccountStatus) -> Todo:
    return Todo(
        kind="mismatch",
        subject=account.account_id,
        title=f"{account.venue} and the desk do not agree",
        text=f"{account.state_reason or 'Their positions differ'}. Until you acknowledge it the account takes only"
        " orders that reduce.",
        actions=(
            Action(
                label="Acknowledge",
                path="/act/acknowledge",
                fields=(("account_id", account.account_id),),
                ask=f"The desk books what {account.venue} says to EXTERNAL, and the account trades again.",
            ),
        ),
    )


def _doubt(line: OrderLine) -> Todo:
    return Todo(
        kind="doubt",
        subject=line.cl_ord_id,
        title=f"Did {line.venue} take the order to {wish(line)}?",
        text=f"{_DOUBTS[line.doubt].format(venue=line.venue)} Nothing was sent again; the full amount counts against"
        " your limits until it is settled.",
        actions=(Action(label="Compare", path=f"/orders/{line.cl_ord_id}"),),
    )


def _held(line: OrderLine) -> Todo:
    key = ("cl_ord_id", line.cl_ord_id)
    return Todo(
        kind="held",
        subject=line.cl_ord_id,
        title=f"May the desk {wish(line)} on {line.venue}?",
        text=f"Asked for by {line.sleeve}. It expires by itself; approved, it passes all checks again.",
        actions=(
            Action(
                label="Approve",
                path="/act/settle",
                fields=(key, ("action", "approve")),
                ask=f"The desk checks it again and sends it: {wish(line)} on {line.venue}.",
            ),
            Action(label="Decline", path="/act/settle", fields=(key, ("action", "decline"))),
        ),
    )


def _by_hand(line: OrderLine) -> Todo:
    done = f" {did(line)} so far: {amount(line.cum_qty)}." if line.cum_qty else ""
    return Todo(
        kind="by_hand",
        subject=line.cl_ord_id,
        title=f"Carry out by hand: {wish(line)} on {line.venue}",
        text=f"This venue is you.{done} Trade it there, then say here what came of it.",
        actions=(Action(label="Report", path=f"/orders/{line.cl_ord_id}"),),
    )
