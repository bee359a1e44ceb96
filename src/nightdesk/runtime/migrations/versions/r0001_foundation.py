"""The foundation: signals, orders and their facts, positions, accounts, events, audit."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Money is text on SQLite, so that no float ever touches it.
MONEY = sa.Numeric().with_variant(sa.Text(), "sqlite")
MOMENT = sa.BigInteger()
FLAG = sa.SmallInteger()


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _money(name: str, *, null: bool = False) -> sa.Column[object]:
    return sa.Column(name, MONEY, nullable=null)


def _moment(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, MOMENT, nullable=null)


def _flag(name: str) -> sa.Column[int]:
    return sa.Column(name, FLAG, nullable=False)


def _owned() -> list[sa.Column[str]]:
    return [_text("owner_id"), _text("account_id")]


def upgrade() -> None:
    """All tables of the first version exist."""
    _desk()
    _signals()
    _orders()
    _order_indexes()
    _commands()
    _facts()
    _accounts()
    _records()


def _desk() -> None:
    op.create_table("meta", _text("key"), _text("value"), sa.PrimaryKeyConstraint("key"))
    op.create_table(
        "writers",
        _text("name"),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        _text("holder"),
        _moment("lease_until"),
        sa.PrimaryKeyConstraint("name"),
    )


def _signals() -> None:
    op.create_table(
        "signals",
        _text("signal_id"),
        _text("owner_id"),
        _text("source"),
        _text("hook"),
        _text("sleeve"),
        _moment("received_at"),
        _moment("fired_at", null=True),
        _text("form"),
        _text("digest"),
        _text("explicit_id", null=True),
        _text("body_digest"),
        _text("body"),
        _text("symbol"),
        _text("summary"),
        _text("outcome"),
        _text("code", null=True),
        _text("field", null=True),
        _text("text"),
        _text("notes"),
        _text("first_signal_id", null=True),
        _flag("test"),
        sa.PrimaryKeyConstraint("signal_id"),
    )
    op.create_index("signals_newest", "signals", ["received_at", "signal_id"])
    op.create_table(
        "dedupe",
        _text("owner_id"),
        _text("hook"),
        _text("digest"),
        _text("signal_id"),
        _text("body_digest"),
        _moment("claimed_at"),
        # None: for good, because the sender named the id itself.
        _moment("expires_at", null=True),
        sa.PrimaryKeyConstraint("owner_id", "hook", "digest"),
        sqlite_with_rowid=False,
    )


def _orders() -> None:
    op.create_table(
        "orders",
        _text("cl_ord_id"),
        *_owned(),
        _text("venue"),
        _text("signal_id"),
        sa.Column("leg", sa.Integer(), nullable=False),
        _text("source"),
        _text("sleeve"),
        _text("symbol"),
        _text("side"),
        _text("ord_type"),
        _text("time_in_force"),
        _money("order_qty"),
        _money("price", null=True),
        _money("stop_px", null=True),
        _flag("reduce_only"),
        _flag("closing"),
        _flag("test"),
        _moment("created_at"),
        _moment("deadline_at"),
        # What the facts say, kept beside the terms so that lists need no folding.
        _text("ord_status"),
        _text("doubt"),
        _money("current_qty"),
        _money("cum_qty"),
        _money("cum_value"),
        _money("fees"),
        _text("order_id", null=True),
        _text("code", null=True),
        _text("text"),
        _flag("is_open"),
        _flag("accepted"),
        # The reservation: what may still fill, at the price it was checked at.
        _money("reserved_qty"),
        _money("ref_px", null=True),
        _text("checks"),
        _text("config_version"),
        _moment("updated_at"),
        sa.PrimaryKeyConstraint("cl_ord_id"),
    )


def _order_indexes() -> None:
    op.create_index("orders_newest", "orders", ["created_at", "cl_ord_id"])
    op.create_index("orders_signal", "orders", ["signal_id"])
    op.create_index(
        "orders_open",
        "orders",
        ["account_id", "symbol"],
        postgresql_where=sa.text("is_open = 1"),
        sqlite_where=sa.text("is_open = 1"),
    )


def _commands() -> None:
    op.create_table(
        "commands",
        _text("cl_ord_id"),
        _text("kind"),
        sa.Column("number", sa.Integer(), nullable=False),
        *_owned(),
        _text("state"),
        _moment("deadline_at"),
        _moment("not_before"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        _text("actor"),
        _text("text"),
        _moment("created_at"),
        _moment("updated_at"),
        sa.PrimaryKeyConstraint("cl_ord_id", "kind", "number"),
        sqlite_with_rowid=False,
    )
    waiting = sa.text("state IN ('QUEUED', 'SENDING', 'UNKNOWN')")
    op.create_index(
        "commands_waiting", "commands", ["account_id", "created_at"], postgresql_where=waiting, sqlite_where=waiting
    )
    op.create_table(
        "sends",
        _text("account_id"),
        _text("owner_id"),
        _text("wire_id"),
        _text("cl_ord_id"),
        _text("kind"),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        _text("payload_hash"),
        sa.Column("nonce", sa.BigInteger(), nullable=True),
        _moment("valid_until", null=True),
        _moment("sending_at"),
        _moment("first_byte_at", null=True),
        _moment("answered_at", null=True),
        _text("outcome"),
        _text("text"),
        sa.PrimaryKeyConstraint("account_id", "wire_id", "kind", "number", "attempt"),
    )
    op.create_index("sends_order", "sends", ["cl_ord_id"])


def _facts() -> None:
    op.create_table(
        "facts",
        _text("cl_ord_id"),
        _text("key"),
        *_owned(),
        _text("kind"),
        sa.Column("stamp", sa.BigInteger(), nullable=False),
        _moment("at"),
        _moment("recorded_at"),
        _text("origin"),
        _text("order_id", null=True),
        _text("ord_status", null=True),
        _text("exec_id", null=True),
        _money("last_qty", null=True),
        _money("last_px", null=True),
        _money("fee"),
        _text("fee_currency"),
        _money("cum_qty", null=True),
        _money("avg_px", null=True),
        _money("order_qty", null=True),
        _money("price", null=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        _text("code", null=True),
        _text("text"),
        sa.PrimaryKeyConstraint("cl_ord_id", "key"),
        sqlite_with_rowid=False,
    )
    fills = sa.text("kind = 'FILL'")
    op.create_index("facts_fills", "facts", ["at", "cl_ord_id", "key"], postgresql_where=fills, sqlite_where=fills)


def _accounts() -> None:
    op.create_table(
        "accounts",
        _text("account_id"),
        _text("owner_id"),
        _text("venue"),
        _text("currency"),
        _money("cash"),
        _text("state"),
        _text("state_reason"),
        _text("state_cause"),
        _moment("state_at"),
        sa.Column("event_seq", sa.BigInteger(), nullable=False),
        _text("day"),
        _money("day_equity"),
        # Orders accepted in each of the last 60 seconds, as `second:count` pairs.
        _text("rate"),
        sa.PrimaryKeyConstraint("account_id"),
    )
    op.create_table(
        "positions",
        _text("account_id"),
        _text("symbol"),
        _text("sleeve"),
        _text("owner_id"),
        _money("qty"),
        _money("cost"),
        _money("realised_pnl"),
        _money("fees"),
        # Reservations of the sleeve's live orders, summed as they come and go.
        _money("buy_qty"),
        _money("buy_value"),
        _money("sell_qty"),
        _money("sell_value"),
        _flag("is_open"),
        _moment("updated_at"),
        sa.PrimaryKeyConstraint("account_id", "symbol", "sleeve"),
        sqlite_with_rowid=False,
    )
    is_open = sa.text("is_open = 1")
    op.create_index("positions_open", "positions", ["account_id"], postgresql_where=is_open, sqlite_where=is_open)
    op.create_table(
        "halts",
        _text("scope"),
        _text("owner_id"),
        _flag("halted"),
        _text("reason"),
        _text("actor"),
        _moment("at"),
        _text("resume_digest", null=True),
        _moment("resume_until", null=True),
        sa.PrimaryKeyConstraint("scope"),
    )


def _records() -> None:
    op.create_table(
        "events",
        _text("account_id"),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        _text("owner_id"),
        _text("topic"),
        _text("cl_ord_id", null=True),
        _moment("at"),
        _text("data"),
        sa.PrimaryKeyConstraint("account_id", "seq"),
        sqlite_with_rowid=False,
    )
    op.create_index("events_order", "events", ["cl_ord_id"])
    op.create_table(
        "cursors",
        _text("consumer"),
        _text("account_id"),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "account_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "dead_letters",
        _text("consumer"),
        _text("account_id"),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        _text("reason"),
        _moment("at"),
        sa.PrimaryKeyConstraint("consumer", "account_id", "seq"),
    )
    op.create_table(
        "reconciliations",
        _text("run_id"),
        *_owned(),
        _text("trigger"),
        _moment("started_at"),
        _moment("ended_at"),
        _text("result"),
        _text("detail"),
        sa.PrimaryKeyConstraint("run_id", "account_id"),
    )
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger(), nullable=False),
        _moment("at"),
        _text("actor"),
        _text("action"),
        _text("subject"),
        _text("detail"),
        _text("previous"),
        _text("hash"),
        sa.PrimaryKeyConstraint("seq"),
    )


def downgrade() -> None:
    """No table of this version is left."""
    for table in (
        "audit", "reconciliations", "dead_letters", "cursors", "events", "halts", "positions", "accounts",
        "facts", "sends", "commands", "orders", "dedupe", "signals", "writers", "meta",
    ):  # fmt: skip
        op.drop_table(table)
