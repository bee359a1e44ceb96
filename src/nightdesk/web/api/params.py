"""What a list is asked for in its query string, and the cursors that lead from page to page."""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from starlette.datastructures import QueryParams

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import OrdStatus, SignalOutcome
from nightdesk.runtime.database import to_micros
from nightdesk.web.problems import Problem
from nightdesk.web.store import END_OF_TIME, Filters, Place

USUAL_LIMIT = 50
MOST = 500
ORDER_KEYS = frozenset({"venue", "symbol", "status", "source", "sleeve", "since", "until"})
SIGNAL_KEYS = frozenset({"venue", "symbol", "outcome", "source", "sleeve", "hook", "since", "until"})
EXECUTION_KEYS = frozenset({"venue", "symbol", "source", "sleeve", "since", "until"})
_PAGING = frozenset({"limit", "cursor"})
_STATUSES = (*OrdStatus, "OPEN", "IN_DOUBT")
_CURSOR = re.compile(r"([0-9]{1,19})\|([!-{}~ ]{0,200})\|([!-{}~ ]{0,400})")
_LONGEST = 200


def read_filters(params: QueryParams, keys: frozenset[str]) -> Filters:
    """The filters; the Problem FIELD_INVALID names a parameter that is unknown or cannot be meant."""
    unknown = sorted(params.keys() - keys - _PAGING)
    if unknown:
        raise _wrong(unknown[0][:64], f"is no filter of this list; known are {', '.join(sorted(keys | _PAGING))}")
    given = {key: value for key, value in params.items() if value and key not in _PAGING}
    for key, value in given.items():
        if len(value) > _LONGEST or not value.isprintable():
            raise _wrong(key, f"must be at most {_LONGEST} printable characters")
    return Filters(
        venue=given.get("venue"),
        symbol=given.get("symbol"),
        status=_one_of("status", given, _STATUSES),
        source=given.get("source"),
        sleeve=given.get("sleeve"),
        hook=given.get("hook"),
        outcome=_one_of("outcome", given, tuple(SignalOutcome)),
        since=_moment("since", given, 0),
        until=_moment("until", given, END_OF_TIME),
    )


def read_limit(params: QueryParams) -> int:
    """How many rows a page has."""
    text = params.get("limit", str(USUAL_LIMIT))
    if not text.isascii() or not text.isdigit() or len(text) > 3 or not 1 <= int(text) <= MOST:
        raise _wrong("limit", f"must be a whole number from 1 to {MOST}")
    return int(text)


def read_cursor(params: QueryParams) -> Place:
    """Where the page begins: at the newest row, or after the row an earlier page ended with."""
    text = params.get("cursor")
    if not text:
        return Place()
    try:
        plain = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        match = _CURSOR.fullmatch(plain.decode("ascii"))
    except (UnicodeError, binascii.Error):
        match = None
    if match is None or int(match[1]) > END_OF_TIME:
        raise _wrong("cursor", "is none that this list gave; leave it out to begin at the newest row")
    return Place(int(match[1]), match[2], match[3])


def cursor(at: datetime, first_id: str, second_id: str = "") -> str:
    """The cursor of the page after this row."""
    text = f"{to_micros(at)}|{first_id}|{second_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _one_of(key: str, given: Mapping[str, str], known: tuple[str, ...]) -> str | None:
    value = given.get(key)
    if value is None:
        return None
    if value.upper() not in known:
        raise _wrong(key, f"must be one of {', '.join(known)}")
    return value.upper()


def _moment(key: str, given: Mapping[str, str], otherwise: int) -> int:
    value = given.get(key)
    if value is None:
        return otherwise
    try:
        at = datetime.fromisoformat(value)
        return to_micros(at.replace(tzinfo=UTC) if at.tzinfo is None else at)
    except (ValueError, OverflowError) as error:
        raise _wrong(key, "must be a moment such as 2026-01-05T09:30:00Z, or a date in UTC") from error


def _wrong(key: str, why: str) -> Problem:
    return Problem(DenyCode.FIELD_INVALID, f"{key} {why}", field=key)
