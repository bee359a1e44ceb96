"""When the sender says an alert fired."""

import re
from datetime import UTC, datetime, timedelta

from nightdesk.sources.tradingview.refusal import wrong

_ISO = re.compile(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?", re.ASCII)
_SECONDS = re.compile(r"([0-9]{10})(?:\.[0-9]{1,9})?")
_MILLISECONDS = re.compile(r"[0-9]{13}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(2100, 1, 1, tzinfo=UTC)
_FIRST = datetime(2000, 1, 1, tzinfo=UTC)


def instant(value: object, field: str) -> datetime:
    """The moment as an aware UTC datetime; ISO 8601 (UTC where no zone is named) or Unix time (s or ms)."""
    moment = _read(value) if isinstance(value, str) else None
    if moment is None or not _FIRST <= moment < _LAST:
        raise wrong(field, value, "a time such as 2026-02-18T14:30:01Z, or Unix time in seconds or milliseconds")
    return moment


def _read(text: str) -> datetime | None:
    if _ISO.fullmatch(text):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if found := _SECONDS.fullmatch(text):
        return _EPOCH + timedelta(seconds=int(found.group(1)))
    if _MILLISECONDS.fullmatch(text):
        return _EPOCH + timedelta(milliseconds=int(text))
    return None
