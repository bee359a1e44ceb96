"""What a report states, and which of two equal facts is kept."""

from dataclasses import replace
from datetime import timedelta

import pytest

from nightdesk.model.enums import OrdStatus
from nightdesk.model.execution import FactKind
from nightdesk.model.order import fold, is_positive, supersedes
from tests.model.evidence import ORDER, own
from tests.samples import START, D, a_fill, a_report, told


def test_a_report_read_again_states_the_same_facts() -> None:
    report = a_fill("e1", "0.40", cum_qty=D("0.40"), avg_px=D("100.0"))
    later = a_fill("e1", "0.4", "100.00", cum_qty=D("0.4"), avg_px=D(100))

    assert [f.key for f in told(report, 1)] == [f.key for f in told(later, 2, "probe")]
    assert [f.kind for f in told(report, 1)] == [FactKind.FILL, FactKind.STATUS]


@pytest.mark.parametrize("missing", ["exec_id", "last_qty", "last_px"])
def test_a_trade_without_its_particulars_is_only_a_status(missing: str) -> None:
    report = replace(a_fill("e1", "0.4"), **{missing: None})

    assert [fact.kind for fact in told(report, 1)] == [FactKind.STATUS]


def test_a_fill_is_dated_by_the_venue_where_it_says_when() -> None:
    then = START - timedelta(seconds=3)

    assert told(a_fill("e1", "0.4", transact_time=then), 1)[0].at == then
    assert told(a_fill("e1", "0.4"), 1)[0].at == START


def test_a_fill_keeps_its_first_stamp_and_a_status_its_last() -> None:
    old, new = told(a_fill("e1", "0.4"), 1), told(a_fill("e1", "0.4"), 2)

    assert not supersedes(new[0], old[0])
    assert supersedes(old[0], new[0])
    assert supersedes(new[1], old[1])
    assert not supersedes(old[1], new[1])
    assert not supersedes(old[1], old[1])


def test_what_counts_as_taken_by_the_venue() -> None:
    assert is_positive(told(a_report(OrdStatus.NEW), 1)[0])
    assert is_positive(told(a_fill("e1", "1"), 1)[0])
    assert not is_positive(told(a_report(OrdStatus.PENDING_NEW), 1)[0])
    assert not is_positive(own(FactKind.OUTCOME_UNKNOWN, 1)[0])


def test_the_average_price_is_unknown_before_the_first_fill() -> None:
    assert fold(ORDER, ()).avg_px is None
    assert fold(ORDER, told(a_fill("e1", "0.4", "110"), 1)).avg_px == 110
