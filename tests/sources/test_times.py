"""When an alert fired, as senders write it."""

from datetime import UTC, datetime

import pytest

from nightdesk.model.errors import Refused
from nightdesk.sources.tradingview.times import instant

AT = datetime(2026, 2, 18, 14, 30, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-02-18T14:30:01Z", "2026-02-18 14:30:01", "2026-02-18T15:30:01+01:00",
        "2026-02-18T16:30:01.000000000+0200",
        "1771425001", "1771425001.25", "1771425001000",
    ],
)  # fmt: skip
def test_every_usual_time_is_the_same_moment_in_utc(value: str) -> None:
    moment = instant(value, "timenow")
    assert moment == AT
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    ["now", "2026-13-01T00:00:00Z", "2026-02-18", "1999-01-01T00:00:00Z", "0000000001", "9999999999", True, None],
)
def test_what_is_no_time_is_refused_by_name(value: object) -> None:
    with pytest.raises(Refused, match="timenow is"):
        instant(value, "timenow")
