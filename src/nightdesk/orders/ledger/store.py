"""Signals and the claims that make a repeat a repeat."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from nightdesk.model.denial import Denied
from nightdesk.model.enums import SignalOutcome
from nightdesk.model.identifiers import SignalId
from nightdesk.model.signal import Aim, Ask, Signal
from nightdesk.runtime.database import Row, Tx, to_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who took a signal first, with which body, and when (microseconds)."""

    signal_id: SignalId
    body_digest: str
    claimed_at: int
    explicit: bool


def find_claim(tx: Tx, owner_id: str, hook: str, digest: str) -> Claim | None:
    """The claim on a signal, however old."""
    rows = tx.fetch(
        "SELECT signal_id, body_digest, claimed_at, explicit FROM dedupe"
        " WHERE owner_id = ? AND hook = ? AND digest = ?",
        (owner_id, hook, digest),
    )
    if not rows:
        return None
    return Claim(signal_id=rows[0][0], body_digest=rows[0][1], claimed_at=rows[0][2], explicit=bool(rows[0][3]))


def take_claim(tx: Tx, signal: Signal, *, window: int, now: int) -> bool:
    """True when the signal is now claimed by this one: there was no claim, or it was older than the window.

    `window` and `now` in microseconds. False means that another process was faster.
    """
    return (
        tx.execute(
            "INSERT INTO dedupe (owner_id, hook, digest, signal_id, body_digest, claimed_at, explicit)"
            " VALUES (?,?,?,?,?,?,?) ON CONFLICT (owner_id, hook, digest) DO UPDATE SET signal_id = excluded.signal_id,"
            " body_digest = excluded.body_digest, claimed_at = excluded.claimed_at"
            " WHERE dedupe.explicit = 0 AND dedupe.claimed_at <= ?",
            (
                signal.owner_id,
                signal.hook,
                signal.digest,
                signal.signal_id,
                signal.body_digest,
                now,
                int(signal.explicit_id is not None),
                now - window,
            ),
        )
        == 1
    )


def signal_row(
    signal: Signal,
    outcome: SignalOutcome,
    *,
    denied: Denied | None = None,
    text: str = "",
    first: SignalId | None = None,
) -> Row:
    """The row of a signal and what became of it, ready for `add_signals`."""
    return (
        signal.signal_id,
        signal.owner_id,
        signal.source,
        signal.hook,
        signal.sleeve,
        to_micros(signal.received_at),
        to_micros(signal.fired_at) if signal.fired_at is not None else None,
        signal.form,
        signal.digest,
        signal.explicit_id,
        signal.body_digest,
        signal.body,
        signal.asks[0].symbol if signal.asks else "",
        summary(signal.asks),
        outcome.value,
        denied.code.name if denied is not None else None,
        denied.field if denied is not None else None,
        denied.text if denied is not None else text,
        json.dumps(signal.notes) if signal.notes else "[]",
        first,
        int(signal.test),
    )


def add_signals(tx: Tx, rows: Sequence[Row]) -> None:
    """The signals are in the ledger."""
    tx.many(
        "INSERT INTO signals (signal_id, owner_id, source, hook, sleeve, received_at, fired_at, form, digest,"
        " explicit_id, body_digest, body, symbol, summary, outcome, code, field, text, notes, first_signal_id, test)"
        f" VALUES ({','.join('?' * 21)})",
        rows,
    )


def summary(asks: Sequence[Ask]) -> str:
    """The signal in a few words: `Buy 0.5 ETH-USD`."""
    return "; ".join(_words(ask) for ask in asks)


def _words(ask: Ask) -> str:
    match ask.aim:
        case Aim.TARGET:
            return f"Hold {ask.target_qty} {ask.symbol}"
        case Aim.CLOSE:
            return f"Close {ask.symbol}"
        case Aim.CANCEL:
            return f"Cancel {ask.symbol}"
        case Aim.TRADE:
            side = ask.side.value.capitalize() if ask.side is not None else "Trade"
            size = f" {ask.size.value}" if ask.size is not None else ""
            unit = "" if ask.size is None or ask.size.unit.value == "BASE" else f" {_UNITS[ask.size.unit.value]} of"
            return f"{side}{size}{unit} {ask.symbol}"


_UNITS = {
    "QUOTE": "in money",
    "PERCENT_OF_EQUITY": "% of equity",
    "PERCENT_OF_POSITION": "% of the position",
    "RISK_QUOTE": "at risk",
    "RISK_PERCENT": "% at risk",
}
