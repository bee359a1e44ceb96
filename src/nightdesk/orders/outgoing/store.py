"""Commands and sends: what was asked of a venue, and what left for it."""

from dataclasses import dataclass

from nightdesk.model.enums import CommandKind, CommandState
from nightdesk.model.identifiers import AccountId, ClOrdId
from nightdesk.model.order import Order
from nightdesk.model.venue import Wire
from nightdesk.runtime.database import Row, Tx, to_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCommand:
    """One thing asked of a venue; moments in microseconds."""

    cl_ord_id: ClOrdId
    kind: CommandKind
    number: int
    account_id: AccountId
    state: CommandState
    deadline_at: int
    not_before: int
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSend:
    """One message that left or may have left; moments in microseconds."""

    wire_id: str
    kind: CommandKind
    attempt: int
    valid_until: int | None
    sending_at: int
    first_byte_at: int | None
    outcome: str


def add_commands(tx: Tx, rows: list[Row]) -> None:
    """The commands are part of this transaction; see `command_row`."""
    tx.many(
        "INSERT INTO commands (cl_ord_id, kind, number, owner_id, account_id, state, deadline_at, not_before, attempts,"
        " actor, text, created_at, updated_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
        rows,
    )


def command_row(order: Order, kind: CommandKind, number: int, *, deadline_at: int, actor: str, now: int) -> Row:
    """The row of a command that may be sent at once."""
    state = CommandState.QUEUED.value
    owner, account = order.owner_id, order.account_id
    return (order.cl_ord_id, kind.value, number, owner, account, state, deadline_at, 0, 0, actor, "", now, now)


def count_waiting(tx: Tx, account_id: AccountId) -> int:
    """How many commands of the account are queued, being sent or in doubt."""
    rows = tx.fetch(
        "SELECT COUNT(*) FROM commands WHERE account_id = ? AND state IN ('QUEUED', 'SENDING', 'UNKNOWN')",
        (account_id,),
    )
    return int(rows[0][0])


def open_questions(tx: Tx, account_id: AccountId) -> list[StoredCommand]:
    """Commands of the account that may have left and were not answered, oldest first."""
    return [
        _command(row)
        for row in tx.fetch(
            "SELECT cl_ord_id, kind, number, account_id, state, deadline_at, not_before, attempts FROM commands"
            " WHERE account_id = ? AND state IN ('SENDING', 'UNKNOWN') ORDER BY created_at, number",
            (account_id,),
        )
    ]


def queued_commands(tx: Tx, account_id: AccountId, now: int, limit: int) -> list[StoredCommand]:
    """The oldest queued commands of the account that may go out by now (microseconds), at most `limit`."""
    rows = tx.fetch(
        "SELECT cl_ord_id, kind, number, account_id, state, deadline_at, not_before, attempts FROM commands"
        " WHERE account_id = ? AND state = 'QUEUED' AND not_before <= ? AND deadline_at > ?"
        " ORDER BY created_at, number LIMIT ?",
        (account_id, now, now, limit),
    )
    return [_command(row) for row in rows]


def overdue_commands(tx: Tx, account_id: AccountId, now: int, limit: int) -> list[StoredCommand]:
    """The oldest commands of the account that were never sent and whose deadline has passed (microseconds)."""
    rows = tx.fetch(
        "SELECT cl_ord_id, kind, number, account_id, state, deadline_at, not_before, attempts FROM commands"
        " WHERE account_id = ? AND state = 'QUEUED' AND deadline_at <= ? ORDER BY created_at, number LIMIT ?",
        (account_id, now, limit),
    )
    return [_command(row) for row in rows]


def commands_of_order(tx: Tx, cl_ord_id: ClOrdId) -> list[StoredCommand]:
    """Everything that was asked of the venue about the order."""
    return [
        _command(row)
        for row in tx.fetch(
            "SELECT cl_ord_id, kind, number, account_id, state, deadline_at, not_before, attempts FROM commands"
            " WHERE cl_ord_id = ? ORDER BY created_at, number",
            (cl_ord_id,),
        )
    ]


def _command(row: Row) -> StoredCommand:
    return StoredCommand(
        cl_ord_id=row[0],
        kind=CommandKind(row[1]),
        number=row[2],
        account_id=row[3],
        state=CommandState(row[4]),
        deadline_at=row[5],
        not_before=row[6],
        attempts=row[7],
    )


def begin_sending(tx: Tx, command: StoredCommand, now: int) -> bool:
    """True for the one caller that may send the command now; everybody else has lost it."""
    return (
        tx.execute(
            "UPDATE commands SET state = 'SENDING', attempts = attempts + 1, updated_at = ?"
            " WHERE cl_ord_id = ? AND kind = ? AND number = ? AND state = 'QUEUED' AND attempts = ?",
            (now, command.cl_ord_id, command.kind.value, command.number, command.attempts),
        )
        == 1
    )


def set_command(tx: Tx, command: StoredCommand, state: CommandState, *, not_before: int, text: str, now: int) -> None:
    """The command is in the state, if it was still waiting."""
    tx.execute(
        "UPDATE commands SET state = ?, not_before = ?, text = ?, updated_at = ?"
        " WHERE cl_ord_id = ? AND kind = ? AND number = ? AND state IN ('QUEUED', 'SENDING', 'UNKNOWN')",
        (state.value, not_before, text, now, command.cl_ord_id, command.kind.value, command.number),
    )


def end_commands(tx: Tx, cl_ord_id: ClOrdId, kind: CommandKind, state: CommandState, now: int) -> None:
    """Every waiting command of the kind is in the state."""
    tx.execute(
        "UPDATE commands SET state = ?, updated_at = ? WHERE cl_ord_id = ? AND kind = ?"
        " AND state IN ('QUEUED', 'SENDING', 'UNKNOWN')",
        (state.value, now, cl_ord_id, kind.value),
    )


def add_sends(tx: Tx, rows: list[Row]) -> None:
    """What is about to leave is on record; see `send_row`."""
    tx.many(
        "INSERT INTO sends (account_id, owner_id, wire_id, cl_ord_id, kind, number, attempt, payload, payload_hash,"
        " nonce, valid_until, sending_at, outcome, text) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,'','')",
        rows,
    )


def send_row(order: Order, command: StoredCommand, wire: Wire, now: int) -> Row:
    """The row of one message, before its first byte."""
    return (
        order.account_id,
        order.owner_id,
        wire.wire_id,
        order.cl_ord_id,
        command.kind.value,
        command.number,
        command.attempts + 1,
        wire.payload,
        wire.payload_hash,
        wire.nonce,
        to_micros(wire.valid_until) if wire.valid_until is not None else None,
        now,
    )


def end_send(
    tx: Tx, command: StoredCommand, attempt: int, *, first_byte_at: int | None, outcome: str, text: str, now: int
) -> None:
    """What became of the message is on record."""
    tx.execute(
        "UPDATE sends SET first_byte_at = ?, answered_at = ?, outcome = ?, text = ?"
        " WHERE cl_ord_id = ? AND kind = ? AND number = ? AND attempt = ?",
        (first_byte_at, now, outcome, text[:2000], command.cl_ord_id, command.kind.value, command.number, attempt),
    )


def sends_of_order(tx: Tx, cl_ord_id: ClOrdId) -> list[StoredSend]:
    """All messages of the order, oldest first."""
    rows = tx.fetch(
        "SELECT wire_id, kind, attempt, valid_until, sending_at, first_byte_at, outcome FROM sends"
        " WHERE cl_ord_id = ? ORDER BY sending_at, attempt",
        (cl_ord_id,),
    )
    return [
        StoredSend(
            wire_id=r[0],
            kind=CommandKind(r[1]),
            attempt=r[2],
            valid_until=r[3],
            sending_at=r[4],
            first_byte_at=r[5],
            outcome=r[6],
        )
        for r in rows
    ]
