"""The story of one order: a sentence first, then what happened in the order it happened. For page and terminal."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Context, InvalidOperation

from nightdesk.model.enums import Doubt, OrdStatus
from nightdesk.model.execution import Fact, FactKind
from nightdesk.web.history.records import Check, CommandLine, History, SendLine
from nightdesk.web.records import OrderLine
from nightdesk.web.words import amount, did, listed, plural, price, span, state_words, wish

MARKS = {"ok": "●", "doubt": "◆", "bad": "▲", "plain": "○"}
_WIDTH = 11
# A share of equity has as many digits as the division left it.
_SHORT = Context(prec=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happened; `mark` is ok, doubt, bad or plain, `body` what was sent or received, as it was."""

    at: datetime
    title: str
    aside: str = ""
    text: str = ""
    mark: str = "ok"
    body: str = ""
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """An order told to people; `spans` say where the time from alert to fill went."""

    headline: str
    meaning: str
    colour: str
    mark: str
    started_at: datetime
    steps: tuple[Step, ...]
    spans: tuple[tuple[str, timedelta], ...]


def tell(history: History) -> Story:
    """The story of the order."""
    line = history.order
    signal = history.signal
    colour, mark, _ = state_words(line)
    steps = sorted(_steps(history), key=lambda step: step.at)
    return Story(
        headline=_headline(line),
        meaning=_meaning(history),
        colour=colour,
        mark=mark,
        started_at=signal.received_at if signal is not None else line.created_at,
        steps=tuple(steps),
        spans=tuple(_spans(history)),
    )


def story_lines(history: History) -> list[str]:
    """The story as lines for the terminal, the times counted from the alert."""
    story = tell(history)
    lines = [story.headline, story.meaning, ""]
    for step in story.steps:
        when = since(step.at, story.started_at).rjust(_WIDTH)
        head = f"{when}  {MARKS[step.mark]} {step.title}"
        lines.append(f"{head}  {step.aside}" if step.aside else head)
        indent = " " * (_WIDTH + 4)
        lines += [f"{indent}{text}" for text in (step.text, *step.body.splitlines()) if text]
        width = max((len(check.name) for check in step.checks), default=0)
        lines += [f"{indent}{check.name.ljust(width)}  {found_words(check)}" for check in step.checks]
    return lines


def found_words(check: Check) -> str:
    """What a check found, beside its limit where that is a number: `1,706 of 5,000`."""
    value, limit = _spaced(check.value), _spaced(check.limit)
    if check.name == "quantity":
        return f"{value}, in steps of {limit}"
    return f"{value} of {limit}" if limit[:1].isdigit() else value


def _spaced(text: str) -> str:
    try:
        return amount(_SHORT.create_decimal(text))
    except InvalidOperation:
        return text


def since(at: datetime, start: datetime) -> str:
    """How long after the start it was: `+2.9 ms`; `before` for what a clock elsewhere puts before it."""
    passed = at - start
    if passed < timedelta(0):
        return "before"
    return "0 ms" if not passed else f"+{span(passed)}"


def _headline(line: OrderLine) -> str:
    where = f"on {line.venue}"
    if line.doubt is not Doubt.NONE:
        return f"In doubt: {wish(line)} {where}"
    if line.cum_qty:
        part = "" if line.cum_qty >= line.current_qty else f" of {amount(line.current_qty)}"
        px = f" at {price(line.avg_px)}" if line.avg_px is not None else ""
        return f"{did(line)} {amount(line.cum_qty)}{part} {line.symbol} {where}{px}"
    words = {
        OrdStatus.PENDING_NEW: "On its way",
        OrdStatus.HELD: "Waits for you",
        OrdStatus.NEW: "At the venue",
        OrdStatus.CANCELED: "Canceled",
        OrdStatus.EXPIRED: "Expired",
        OrdStatus.REJECTED: f"Rejected by {line.venue}",
    }
    word = words.get(line.ord_status) or f"Denied{f' by {line.check}' if line.check else ''}"
    return f"{word}: {wish(line)}" if line.ord_status is OrdStatus.REJECTED else f"{word}: {wish(line)} {where}"


def _meaning(history: History) -> str:
    line, signal = history.order, history.signal
    parts = []
    if signal is not None:
        who = f"the {signal.hook} hook" if signal.source == "tradingview" else f"a {signal.source}"
        asked = f"{who} asked for it"
        parts.append(f"Because {asked}: {signal.summary}.")
    if line.doubt is not Doubt.NONE:
        parts.append(
            "Nothing is sent again on a guess, and the full amount counts against the limits until this is settled."
        )
    elif line.text and line.ord_status is not OrdStatus.FILLED:
        parts.append(line.text if line.text.endswith(".") else f"{line.text}.")
    if line.ord_status is OrdStatus.FILLED:
        spans = _spans(history)
        total = sum((length for _, length in spans), timedelta(0))
        parts.append(f"Filled in {span(total)}; fees {price(line.fees)}.")
    if line.test:
        parts.append("This was a test.")
    return " ".join(parts)


def _steps(history: History) -> Iterator[Step]:
    yield from _received(history)
    yield from _decided(history)
    for command in history.commands:
        yield from _asked(command, history)
    for send in history.sends:
        yield from _sent(send, history.order)
    for fact in history.facts:
        step = _FACTS.get(fact.kind)
        if step is not None and not (fact.key == "denied" and fact.kind is FactKind.DENIED):
            yield step(fact, history.order)


def _received(history: History) -> Iterator[Step]:
    signal = history.signal
    if signal is None:
        return
    fired = ""
    if signal.fired_at is not None and signal.received_at > signal.fired_at:
        fired = f"It fired {span(signal.received_at - signal.fired_at)} before it arrived."
    title = "Alert received" if signal.source == "tradingview" else "Asked for"
    aside = f"from {signal.source}, hook {signal.hook}" if signal.source == "tradingview" else f"by {signal.source}"
    yield Step(at=signal.received_at, title=title, aside=aside, text=fired, body=signal.body)
    for note in signal.notes:
        yield Step(at=signal.received_at, title="Read and not acted on", text=note, mark="plain")


def _decided(history: History) -> Iterator[Step]:
    line, at = history.order, history.order.created_at
    venues = [leg.venue for leg in history.legs]
    if len(venues) > 1:
        text = f"{plural(len(venues), 'order')}, for {listed(venues)}. This is the one for {line.venue}."
        yield Step(at=at, title="New, not seen before", text=text)
    else:
        yield Step(at=at, title="New, not seen before", text=f"One order, for {line.venue}.")
    if line.ord_status is OrdStatus.DENIED and not history.checks and not history.commands:
        found = (Check(name=line.check or "limit", limit=line.limit or "none", value=line.value or "none"),)
        named = found if line.limit or line.value else ()
        title = f"Denied: {line.check or line.code}"
        yield Step(at=at, title=title, aside=line.code or "", text=line.text, mark="bad", checks=named)
        return
    if history.checks:
        yield Step(at=at, title=f"Passed {plural(len(history.checks), 'check')}", checks=history.checks)
    yield Step(at=at, title="Stored, then answered the sender", text="On disk before anyone was told.")


def _asked(command: CommandLine, history: History) -> Iterator[Step]:
    what = "The order" if command.kind == "NEW" else "The cancel"
    if command.kind == "CANCEL":
        yield Step(at=command.created_at, title="Cancel asked for", aside=f"by {command.actor}", mark="plain")
    sent = any(send.kind == command.kind and send.number == command.number for send in history.sends)
    if command.state == "QUEUED" and not sent:
        yield Step(at=command.updated_at, title=f"{what} waits to be sent", mark="plain")
    if command.state in ("ENDED", "ABSENT"):
        yield Step(at=command.updated_at, title=f"{what} was not sent on", text=command.text, mark="plain")


def _sent(send: SendLine, line: OrderLine) -> Iterator[Step]:
    what = "Sent" if send.kind == "NEW" else "Cancel sent"
    again = f", attempt {send.attempt}" if send.attempt > 1 else ""
    at = send.first_byte_at or send.sending_at
    if send.outcome == "NOT_SENT":
        yield Step(at=at, title=f"Not sent to {line.venue}", aside=f"proven{again}", text=send.text, mark="plain")
        return
    aside = f"id {send.wire_id}{again}"
    yield Step(at=at, title=f"{what} to {line.venue}", aside=aside, body=send.payload)


def _status(fact: Fact, line: OrderLine) -> Step:
    match fact.ord_status:
        case OrdStatus.NEW:
            title, mark = "Accepted", "ok"
        case OrdStatus.REJECTED:
            title, mark = f"Rejected by {line.venue}", "bad"
        case OrdStatus.CANCELED | OrdStatus.EXPIRED:
            title, mark = fact.ord_status.value.capitalize(), "plain"
        case OrdStatus.FILLED | OrdStatus.PARTIALLY_FILLED:
            done = amount(fact.cum_qty) if fact.cum_qty is not None else "some"
            title, mark = f"{line.venue} counts {done} filled", "ok"
        case status:
            title, mark = f"{line.venue} says {status}", "plain"
    aside = f"as {fact.order_id}" if fact.order_id and fact.ord_status is OrdStatus.NEW else _seen(fact)
    return Step(at=fact.at, title=title, aside=aside, text=fact.text, mark=mark)


def _seen(fact: Fact) -> str:
    return {"probe": "when asked", "stream": "by its stream", "submit": ""}.get(fact.origin, f"told by {fact.origin}")


def _fill(fact: Fact, line: OrderLine) -> Step:
    qty = amount(fact.last_qty) if fact.last_qty is not None else "?"
    px = price(fact.last_px) if fact.last_px is not None else "?"
    fee = f"fee {price(fact.fee)} {fact.fee_currency}".rstrip() if fact.fee else "no fee"
    return Step(at=fact.at, title=f"Filled {qty} at {px}", aside=fee)


def _plain(title: str, mark: str) -> Callable[[Fact, OrderLine], Step]:
    def step(fact: Fact, line: OrderLine) -> Step:
        by = f"by {fact.origin}" if fact.kind in (FactKind.DECISION, FactKind.APPROVED) else ""
        aside = fact.code.name if fact.code is not None else by
        return Step(at=fact.at, title=title.format(venue=line.venue), aside=aside, text=fact.text, mark=mark)

    return step


_FACTS: dict[FactKind, Callable[[Fact, OrderLine], Step]] = {
    FactKind.STATUS: _status,
    FactKind.FILL: _fill,
    FactKind.BUST: _plain("A fill was taken back", "bad"),
    FactKind.REPLACED: _plain("Changed at {venue}", "ok"),
    FactKind.OUTCOME_UNKNOWN: _plain("No answer: not known whether {venue} took it", "doubt"),
    FactKind.NOT_FOUND: _plain("{venue}, asked for it, did not know it", "doubt"),
    FactKind.DENIED: _plain("Ended by the desk", "bad"),
    FactKind.EXPIRED: _plain("Its deadline passed", "bad"),
    FactKind.HELD: _plain("Held: waits for a person", "doubt"),
    FactKind.APPROVED: _plain("Approved", "ok"),
    FactKind.DECISION: _plain("Settled by a person", "ok"),
}


def _spans(history: History) -> list[tuple[str, timedelta]]:
    """Where the time went, as far as each stage was reached; a stage that a clock puts backwards counts nothing."""
    line, signal = history.order, history.signal
    news = [send for send in history.sends if send.kind == "NEW" and send.first_byte_at is not None]
    fills = [fact.at for fact in history.facts if fact.kind is FactKind.FILL]
    marks = [
        ("read and decided", line.created_at if signal is not None else None),
        ("stored and sent", news[0].first_byte_at if news else None),
        ("answered by the venue", news[-1].answered_at if news else None),
        ("filled", max(fills) if fills else None),
    ]
    last = signal.received_at if signal is not None else line.created_at
    found = []
    for name, at in marks:
        if at is not None and at > last:
            found.append((name, at - last))
            last = at
    return found
