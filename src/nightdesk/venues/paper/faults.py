"""Scripted faults: what the paper exchange is told to do wrong, and to whom."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from nightdesk.venues.paper.payload import Malformed, read_number, read_text, read_word


class FaultKind(StrEnum):
    """What goes wrong: the first group acts on a request, the second on reports, the last at once."""

    HANG_AFTER_ACCEPT = "hang_after_accept"
    LATE_ACCEPT = "late_accept"
    """The request waits `delay` seconds before the exchange sees it; the caller gets no answer."""
    LOST_REPLY = "lost_reply"
    LOST_REQUEST = "lost_request"
    """The request never arrives, and the connection breaks."""
    REJECT = "reject"
    REJECT_AND_HANG = "reject_and_hang"
    ASYNC_REJECT = "async_reject"
    """The answer says queued; the rejection follows after `delay` seconds."""
    RATE_LIMITED = "rate_limited"
    HTTP_500_HTML = "http_500_html"
    GARBAGE_200 = "garbage_200"
    PARTIAL = "partial"
    """The order fills in `parts`, one at each quote."""

    REORDER = "reorder"
    """What one moment brought is reported last first."""
    DUPLICATE = "duplicate"
    """Every report is sent `parts` times."""
    CONFLICT = "conflict"
    """Every fill is reported again under the same exec_id at another price."""

    WIPE_BOOK = "wipe_book"
    """All open orders are forgotten, as after a restart of a venue that loses its book."""
    FORCE_FILL = "force_fill"
    """The order named by `client_id` fills by `qty` at `px`, whatever its state: late, after its end, or too much."""
    ADJUST = "adjust"
    """The account's position in `symbol` changes by `qty` at `px` without an order."""


VERBS = ("order", "cancel", "read", "report")
IMMEDIATE = frozenset({FaultKind.WIPE_BOOK, FaultKind.FORCE_FILL, FaultKind.ADJUST})
ON_REPORTS = frozenset({FaultKind.REORDER, FaultKind.DUPLICATE, FaultKind.CONFLICT})
ON_REQUEST = frozenset(FaultKind) - IMMEDIATE - ON_REPORTS - {FaultKind.PARTIAL}
ON_READ = frozenset({FaultKind.HTTP_500_HTML, FaultKind.GARBAGE_200, FaultKind.LOST_REPLY, FaultKind.RATE_LIMITED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One rule: what goes wrong, for which requests, how often; empty filters match everything."""

    kind: FaultKind
    verb: str = "order"
    """One of VERBS."""
    account: str = ""
    client_id: str = ""
    symbol: str = ""
    times: int | None = 1
    """None: for ever."""
    probability: float = 1.0
    delay: float = 0.0
    """Seconds."""
    parts: int = 2
    taken: bool = True
    """For an unreadable answer: whether the request was carried out."""
    text: str = ""
    qty: Decimal | None = None
    px: Decimal | None = None


@dataclass(slots=True)
class _Rule:
    fault: Fault
    left: int | None


class FaultScript:
    """The rules in force, asked in the order they were added; chance comes from the seed alone."""

    def __init__(self, faults: Iterable[Fault] = (), *, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._rules = [_Rule(fault, fault.times) for fault in faults]

    def add(self, fault: Fault) -> None:
        """The rule is in force."""
        self._rules.append(_Rule(fault, fault.times))

    def clear(self) -> None:
        """No rule is in force."""
        self._rules.clear()

    def take(
        self, kinds: frozenset[FaultKind], verb: str, *, account: str, client_id: str = "", symbol: str = ""
    ) -> Fault | None:
        """The first rule that strikes here, counted down; None when all goes well."""
        for rule in self._rules:
            fault = rule.fault
            if fault.kind not in kinds or fault.verb != verb or rule.left == 0:
                continue
            if not _matches(fault, account=account, client_id=client_id, symbol=symbol):
                continue
            if fault.probability < 1 and self._random.random() >= fault.probability:
                continue
            if rule.left is not None:
                rule.left -= 1
            return fault
        return None


def _matches(fault: Fault, **asked: str) -> bool:
    wanted = {"account": fault.account, "client_id": fault.client_id, "symbol": fault.symbol}
    return all(not value or value == asked[key] for key, value in wanted.items())


def read_fault(fields: Mapping[str, Any]) -> Fault:
    """The rule in JSON fields; Malformed names the field at fault."""
    unknown = fields.keys() - Fault.__dataclass_fields__.keys()
    if unknown:
        raise Malformed(f"unknown field: {min(unknown)}")
    verb = read_text(fields, "verb") or "order"
    if verb not in VERBS:
        raise Malformed(f"verb is none of {', '.join(VERBS)}")
    texts = {key: read_text(fields, key) for key in ("account", "client_id", "symbol", "text")}
    return Fault(
        kind=read_word(fields, "kind", FaultKind),
        verb=verb,
        times=None if fields.get("times", 1) is None else int(_amount(fields, "times", 1)),
        probability=_amount(fields, "probability", 1),
        delay=_amount(fields, "delay", 0),
        parts=max(int(_amount(fields, "parts", 2)), 1),
        taken=bool(fields.get("taken", True)),
        qty=read_number(fields, "qty"),
        px=read_number(fields, "px"),
        **texts,
    )


def _amount(fields: Mapping[str, Any], key: str, default: float) -> float:
    value = fields.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
        raise Malformed(f"{key} is not a number from 0 on")
    return float(value)
