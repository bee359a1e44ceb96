"""Signals and the claims that make a repeat a repeat."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nightdesk.model.denial import Denied
from nightdesk.model.enums import SignalOutcome
from nightdesk.model.identifiers import SignalId
from nightdesk.model.signal import Aim, Ask, Signal
from nightdesk.runtime.database import Row, Tx, to_micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who took a signal first, with which body, and until when a repeat is a repeat (microseconds; None: for good)."""

    signal_id: SignalId
    body_digest: str
    expires_at: int | None

    def holds(self, now: int) -> bool:
        """True while the same signal is a repeat of this one."""
        return self.expires_at is None or now < self.expires_at


Key = tuple[str, str, str]
"""Owner, hook and digest: what makes two deliveries the same signal."""

_CLAIMS = (
    "SELECT dedupe.owner_id, dedupe.hook, dedupe.digest, signal_id, body_digest, expires_at FROM wanted"
    " JOIN dedupe ON dedupe.owner_id = wanted.owner_id AND dedupe.hook = wanted.hook AND dedupe.digest = wanted.digest"
)


def key_of(signal: Signal) -> Key:
    """What the signal is claimed under."""
    return (signal.owner_id, signal.hook, signal.digest)


def find_claims(tx: Tx, keys: Sequence[Key]) -> dict[Key, Claim]:
    """The claims on the signals, however old, in one query."""
    if not keys:
        return {}
    # Sizes are rounded up to powers of two, so that few different statements have to be prepared.
    wanted = list(keys) + [keys[-1]] * ((1 << (len(keys) - 1).bit_length()) - len(keys))
    places = ",".join(["(?,?,?)"] * len(wanted))
    # lint: allow sql-built: only the number of places varies
    sql = f"WITH wanted (owner_id, hook, digest) AS (VALUES {places}) {_CLAIMS}"
    rows = tx.fetch(sql, [part for key in wanted for part in key])
    return {(row[0], row[1], row[2]): Claim(signal_id=row[3], body_digest=row[4], expires_at=row[5]) for row in rows}


def take_claims(tx: Tx, claims: Mapping[Key, Claim], now: int) -> bool:
    """True when every claim is made: there was none on the signal, or one that had expired (`now` in microseconds).

    False means that another process was faster; nothing may be kept then.
    """
    rows = [(*key, claim.signal_id, claim.body_digest, now, claim.expires_at) for key, claim in claims.items()]
    return len(rows) == tx.many(
        "INSERT INTO dedupe (owner_id, hook, digest, signal_id, body_digest, claimed_at, expires_at)"
        " VALUES (?,?,?,?,?,?,?) ON CONFLICT (owner_id, hook, digest) DO UPDATE SET signal_id = excluded.signal_id,"
        " body_digest = excluded.body_digest, claimed_at = excluded.claimed_at, expires_at = excluded.expires_at"
        " WHERE dedupe.expires_at <= excluded.claimed_at",
        rows,
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
