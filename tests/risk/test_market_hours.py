"""X4: market hours."""

from dataclasses import replace
from datetime import UTC, datetime, time

import pytest

from nightdesk.model.denial import Denied, DenyCode
from nightdesk.model.enums import OrdType
from nightdesk.model.instrument import TradingHours
from nightdesk.risk.checks import market_hours
from nightdesk.risk.config import RiskConfig
from nightdesk.risk.proposal import Mark
from tests.samples import an_instrument, an_order

HOURS = TradingHours(zone="America/New_York", opens=time(9, 30), closes=time(16))


class _Proposal:
    """What the check looks at."""

    def __init__(self, now: datetime, ord_type: OrdType, hours: TradingHours | None) -> None:
        self.now = now
        self.order = replace(an_order(), ord_type=ord_type)
        self.instrument = replace(an_instrument(), hours=hours)


def judge(
    now: datetime, ord_type: OrdType = OrdType.MARKET, hours: TradingHours | None = HOURS
) -> Denied | Mark | None:
    return market_hours(_Proposal(now, ord_type, hours), RiskConfig())  # type: ignore[arg-type]  # the three it reads


def test_a_market_order_outside_the_hours_is_denied_with_them() -> None:
    verdict = judge(datetime(2026, 7, 5, 15, tzinfo=UTC))
    assert isinstance(verdict, Denied)
    assert verdict.code is DenyCode.MARKET_CLOSED
    assert "09:30 to 16:00 America/New_York" in verdict.text
    assert "Sunday 15:00" in verdict.text


def test_a_market_order_inside_the_hours_passes_with_a_mark() -> None:
    assert judge(datetime(2026, 7, 6, 15, tzinfo=UTC)) == ("market hours", str(HOURS), "open")


@pytest.mark.parametrize("ord_type", [OrdType.LIMIT, OrdType.STOP, OrdType.STOP_LIMIT])
def test_what_rests_may_wait_for_the_opening(ord_type: OrdType) -> None:
    assert judge(datetime(2026, 7, 5, 15, tzinfo=UTC), ord_type) is None


def test_a_market_without_hours_never_closes() -> None:
    assert judge(datetime(2026, 7, 5, 15, tzinfo=UTC), hours=None) is None
