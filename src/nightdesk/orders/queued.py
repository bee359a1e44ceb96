"""Commands that wait to be sent: made inside a transaction, offered to the sender once it is durable."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from nightdesk.model.enums import CommandKind, CommandState
from nightdesk.model.order import Order
from nightdesk.orders.outgoing import store as outgoing
from nightdesk.orders.outgoing.store import StoredCommand
from nightdesk.runtime.database import Tx, to_micros

CANCEL_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A command that may be sent as soon as the transaction that holds it is durable."""

    order: Order
    command: StoredCommand
    in_doubt: bool = False
    """An earlier message of the order may be at the venue."""


def new_command(order: Order, kind: CommandKind, number: int, deadline_at: int) -> StoredCommand:
    """A command as it stands in the database right after it was queued."""
    return StoredCommand(
        cl_ord_id=order.cl_ord_id,
        kind=kind,
        number=number,
        account_id=order.account_id,
        state=CommandState.QUEUED,
        deadline_at=deadline_at,
        not_before=0,
        attempts=0,
    )


def queue_cancel(tx: Tx, order: Order, *, actor: str, now: datetime) -> Queued | None:
    """A cancel of the order waits to be sent; None where one is under way already."""
    commands = outgoing.commands_of_order(tx, order.cl_ord_id)
    cancels = [command for command in commands if command.kind is CommandKind.CANCEL]
    waiting = (CommandState.QUEUED, CommandState.SENDING, CommandState.UNKNOWN)
    if any(command.state in waiting for command in cancels):
        return None
    number, deadline = len(cancels) + 1, to_micros(now + CANCEL_WITHIN)
    row = outgoing.command_row(order, CommandKind.CANCEL, number, deadline_at=deadline, actor=actor, now=to_micros(now))
    outgoing.add_commands(tx, [row])
    return Queued(order=order, command=new_command(order, CommandKind.CANCEL, number, deadline))
