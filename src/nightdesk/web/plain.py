"""Values as they leave the desk: decimals as plain text, moments as ISO 8601 with Z, JSON as bytes."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Context, Decimal

from starlette.responses import Response

from nightdesk.runtime.database import canonical

_SIXTEEN = Context(prec=16)
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def number(value: Decimal | None) -> str | None:
    """The number in plain digits, None for none."""
    return None if value is None else canonical(value)


def ratio(value: Decimal, by: Decimal) -> Decimal | None:
    """One value over another in 16 digits, None over zero."""
    return _SIXTEEN.divide(value, by) if by else None


def moment(at: datetime) -> str:
    """The moment in UTC: `2026-01-05T09:30:00.123456Z`."""
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    # "+00:00" is the same moment in six letters more.
    return f"{utc.isoformat(timespec='microseconds')[:-6]}Z"


def maybe_moment(at: datetime | None) -> str | None:
    """The moment in UTC, None for none."""
    return None if at is None else moment(at)


def json_bytes(value: Mapping[str, object]) -> bytes:
    """The value as JSON in UTF-8; what is no text of Unicode (half of a surrogate pair) becomes a question mark."""
    return _encode(value).encode("utf-8", "replace")


class PlainJson(Response):
    """A JSON answer that no cache keeps and no browser guesses about."""

    media_type = "application/json"

    def __init__(
        self, content: Mapping[str, object], status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(content, status_code, {"cache-control": "no-store", **(headers or {})})

    def render(self, content: Mapping[str, object]) -> bytes:
        """The body."""
        return json_bytes(content)
