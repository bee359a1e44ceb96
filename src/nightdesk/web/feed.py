"""Signals as the pages list them: what was asked, what became of it, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import Doubt, OrdStatus, SignalOutcome
from nightdesk.runtime.database import Tx, from_micros
from nightdesk.web.records import OrderLine, SignalLine
from nightdesk.web.store import first_sent, orders_of_signals
from nightdesk.web.words import plural, price, span, state_words

_QUIET = {
    SignalOutcome.DUPLICATE: "Duplicate",
    SignalOutcome.EXPIRED: "Too old",
    SignalOutcome.NO_ACTION: "No action",
}

_UNNAMED = {SignalOutcome.REFUSED.value: "Not understood"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRow:
    """One signal in two lines; `href` leads to its story."""

    at: datetime
    title: str
    source: str
    colour: str
    mark: str
    word: str
    detail: str
    latency: str
    href: str


def feed(tx: Tx, signals: Sequence[SignalLine]) -> list[FeedRow]:
    """The signals as rows, in their order."""
    ids = [signal.signal_id for signal in signals]
    orders, sent = orders_of_signals(tx, ids), first_sent(tx, ids)
    rows = []
    for signal in signals:
        left = sent.get(signal.signal_id)
        lines = orders[signal.signal_id]
        rows.append(_row(signal, lines, from_micros(left) - signal.received_at if left is not None else None))
    return rows


def _row(signal: SignalLine, lines: list[OrderLine], latency: timedelta | None) -> FeedRow:
    colour, mark, word, detail = outcome_words(signal, lines)
    single = lines[0].cl_ord_id if len(lines) == 1 else None
    sent_words = "" if signal.outcome == SignalOutcome.NO_ACTION else "not sent"
    return FeedRow(
        at=signal.received_at,
        title=signal.summary or signal.symbol or _UNNAMED.get(signal.outcome, "A message"),
        source=f"{signal.hook} hook" if signal.source == "tradingview" else signal.source,
        colour=colour,
        mark=mark,
        word=word,
        detail=detail,
        latency=span(max(latency, timedelta(0))) if latency is not None else sent_words,
        href=f"/orders/{single}" if single else f"/signals/{signal.signal_id}",
    )


def outcome_words(signal: SignalLine, lines: Sequence[OrderLine]) -> tuple[str, str, str, str]:
    """Colour, mark, word and detail of what became of a signal."""
    if signal.outcome == SignalOutcome.REFUSED:
        if lines:
            colour, mark, word = state_words(lines[0])
            return colour, mark, word, _reason(lines[0])
        return "bad", "▲", f"Refused: {_code_words(signal.code)}", signal.text
    if signal.outcome in _QUIET:
        return "muted", "○", _QUIET[SignalOutcome(signal.outcome)], signal.text
    if not lines:
        return "info", "●", "Taken", signal.text
    if len(lines) == 1:
        colour, mark, word = state_words(lines[0])
        return colour, mark, word, _detail(lines[0])
    return _together(lines)


def _together(lines: Sequence[OrderLine]) -> tuple[str, str, str, str]:
    of = f"of {len(lines)}"
    filled = [line for line in lines if line.ord_status is OrdStatus.FILLED]
    worst = next((line for line in lines if line.doubt is not Doubt.NONE), None)
    if worst is not None:
        return "warn", "◆", f"In doubt on {worst.venue}", f"filled on {len(filled)} {of}"
    refused = [line for line in lines if line.ord_status in (OrdStatus.DENIED, OrdStatus.REJECTED)]
    if len(filled) == len(lines):
        return "good", "●", f"Filled on {len(lines)} {of}", _detail(lines[0])
    if filled or refused:
        colour = "bad" if not filled else "warn"
        text = f"{plural(len(refused), 'leg')} refused: {refused[0].text}" if refused else "the rest is open"
        return colour, "◐" if filled else "▲", f"Filled on {len(filled)} {of}", text
    colour, mark, word = state_words(lines[0])
    return colour, mark, f"{word} on {len(lines)} venues", _detail(lines[0])


def _detail(line: OrderLine) -> str:
    if line.cum_qty and line.avg_px is not None:
        return f"avg {price(line.avg_px)} on {line.venue}"
    return _reason(line) or f"on {line.venue}"


def _reason(line: OrderLine) -> str:
    """The text of a refusal without the name of its check, which stands beside it."""
    reason = line.text.removeprefix(f"{line.check}:").strip() if line.check else line.text
    return f"{reason[:1].upper()}{reason[1:]}"


def _code_words(code: str | None) -> str:
    """The code in lower case words, as a person says it."""
    known = code is not None and code in DenyCode.__members__
    return code.lower().replace("_", " ") if known and code is not None else "not taken"
