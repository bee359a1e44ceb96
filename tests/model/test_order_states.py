"""The FIX order state changes as a table, and the synthetic fill that real ones replace."""

import pytest

from nightdesk.model.enums import Doubt, ExecType, OrdStatus
from nightdesk.model.order import fold
from tests.model.evidence import ORDER
from tests.samples import D, a_fill, a_report, told

# Scenarios of the FIX order state changes: what the venue says in turn -> status, doubt, cum_qty, leaves_qty.
SCENARIOS = {
    "nothing was heard": ([], OrdStatus.PENDING_NEW, Doubt.NONE, "0", "1"),
    "A.1 acknowledged, filled in two parts": (
        [a_report(OrdStatus.NEW), a_fill("e1", "0.4"), a_fill("e2", "0.6", status=OrdStatus.FILLED)],
        OrdStatus.FILLED, Doubt.NONE, "1", "0",
    ),
    "A.2 filled at once, no acknowledgement": (
        [a_fill("e1", "1", status=OrdStatus.FILLED)], OrdStatus.FILLED, Doubt.NONE, "1", "0",
    ),
    "A.3 a part filled, the rest expired (IOC)": (
        [a_fill("e1", "0.4"), a_report(OrdStatus.EXPIRED)], OrdStatus.EXPIRED, Doubt.NONE, "0.4", "0",
    ),
    "A.4 rejected": ([a_report(OrdStatus.REJECTED)], OrdStatus.REJECTED, Doubt.NONE, "0", "0"),
    "A.5 queued, then acknowledged": (
        [a_report(OrdStatus.PENDING_NEW), a_report(OrdStatus.NEW)], OrdStatus.NEW, Doubt.NONE, "0", "1",
    ),
    "A.6 queued is no acknowledgement": (
        [a_report(OrdStatus.PENDING_NEW)], OrdStatus.PENDING_NEW, Doubt.NONE, "0", "1",
    ),
    "B.1 canceled with nothing filled": (
        [a_report(OrdStatus.NEW), a_report(OrdStatus.CANCELED)], OrdStatus.CANCELED, Doubt.NONE, "0", "0",
    ),
    "B.2 partly filled, then canceled": (
        [a_fill("e1", "0.4"), a_report(OrdStatus.CANCELED)], OrdStatus.CANCELED, Doubt.NONE, "0.4", "0",
    ),
    "B.3 a fill races the cancel and comes after it (row 30)": (
        [a_report(OrdStatus.CANCELED, cum_qty=D(0)), a_fill("e1", "0.4")], OrdStatus.CANCELED, Doubt.NONE, "0.4", "0",
    ),
    "B.4 filled before the cancel arrived (row 30)": (
        [a_report(OrdStatus.NEW), a_report(OrdStatus.CANCELED), a_fill("e1", "1", status=OrdStatus.FILLED)],
        OrdStatus.FILLED, Doubt.NONE, "1", "0",
    ),
    "B.5 canceled, and yet it has filled altogether (row 32)": (
        [a_report(OrdStatus.CANCELED, cum_qty=D(0)), a_fill("e1", "1", status=OrdStatus.CANCELED)],
        OrdStatus.FILLED, Doubt.NONE, "1", "0",
    ),
    "C.1 replaced to more, then filled": (
        [
            a_report(OrdStatus.NEW, exec_type=ExecType.REPLACED, revision=1, order_qty=D("1.5")),
            a_fill("e1", "1.5", status=OrdStatus.FILLED),
        ],
        OrdStatus.FILLED, Doubt.NONE, "1.5", "0",
    ),
    "C.2 replaced to less than has filled": (
        [a_fill("e1", "0.6"), a_report(OrdStatus.FILLED, exec_type=ExecType.REPLACED, revision=1, order_qty=D("0.6"))],
        OrdStatus.FILLED, Doubt.NONE, "0.6", "0",
    ),
    "C.3 the newer of two replacements counts": (
        [
            a_report(OrdStatus.NEW, exec_type=ExecType.REPLACED, revision=2, order_qty=D("2")),
            a_report(OrdStatus.NEW, exec_type=ExecType.REPLACED, revision=1, order_qty=D("5")),
        ],
        OrdStatus.NEW, Doubt.NONE, "0", "2",
    ),
    "D.1 the venue's own sum runs ahead of its fills": (
        [a_fill("e1", "0.4"), a_report(OrdStatus.PARTIALLY_FILLED, cum_qty=D("0.7"), avg_px=D(100))],
        OrdStatus.PARTIALLY_FILLED, Doubt.NONE, "0.7", "0.3",
    ),
    "D.2 filled by its sum alone": (
        [a_report(OrdStatus.FILLED, cum_qty=D(1), avg_px=D(99))], OrdStatus.FILLED, Doubt.NONE, "1", "0",
    ),
    "E.1 a fill is busted (row 35)": (
        [a_fill("e1", "0.4"), a_fill("e1", "0.4", exec_type=ExecType.TRADE_CANCEL, status=OrdStatus.NEW)],
        OrdStatus.NEW, Doubt.NONE, "0", "1",
    ),
    "E.2 a bust comes before its fill (row 35)": (
        [a_fill("e1", "0.4", exec_type=ExecType.TRADE_CANCEL, status=OrdStatus.NEW), a_fill("e1", "0.4")],
        OrdStatus.NEW, Doubt.NONE, "0", "1",
    ),
    "E.3 more filled than asked for (row 34)": (
        [a_fill("e1", "0.8"), a_fill("e2", "0.8")], OrdStatus.FILLED, Doubt.DISPUTED, "1.6", "0",
    ),
    "E.4 one trade id, two prices (row 26)": (
        [a_fill("e1", "0.4", "100"), a_fill("e1", "0.4", "101")],
        OrdStatus.PARTIALLY_FILLED, Doubt.DISPUTED, "0.4", "0.6",
    ),
    "E.5 the same fill twice (row 26)": (
        [a_fill("e1", "0.4"), a_fill("e1", "0.4")], OrdStatus.PARTIALLY_FILLED, Doubt.NONE, "0.4", "0.6",
    ),
    "F.1 late fill after canceled (row 32)": (
        [a_report(OrdStatus.NEW), a_report(OrdStatus.CANCELED), a_fill("e1", "0.4", status=OrdStatus.CANCELED)],
        OrdStatus.CANCELED, Doubt.NONE, "0.4", "0",
    ),
    "F.2 late fill after expired at the venue (row 32)": (
        [a_report(OrdStatus.EXPIRED), a_fill("e1", "0.4", status=OrdStatus.EXPIRED)],
        OrdStatus.EXPIRED, Doubt.NONE, "0.4", "0",
    ),
    "F.3 fill after rejected (row 33)": (
        [a_report(OrdStatus.REJECTED), a_fill("e1", "0.4", status=OrdStatus.REJECTED)],
        OrdStatus.REJECTED, Doubt.DISPUTED, "0.4", "0.6",
    ),
    "F.4 alive after rejected (row 33)": (
        [a_report(OrdStatus.REJECTED), a_report(OrdStatus.NEW)], OrdStatus.REJECTED, Doubt.DISPUTED, "0", "1",
    ),
    "F.5 alive, then rejected": (
        [a_report(OrdStatus.NEW), a_report(OrdStatus.REJECTED)], OrdStatus.REJECTED, Doubt.NONE, "0", "0",
    ),
    "F.6 an old word of life is no revival": (
        [a_report(OrdStatus.CANCELED), a_report(OrdStatus.NEW)], OrdStatus.CANCELED, Doubt.NONE, "0", "0",
    ),
    "F.7 filled, says the venue, but its fills fall short": (
        [a_fill("e1", "0.4"), a_report(OrdStatus.FILLED)], OrdStatus.FILLED, Doubt.DISPUTED, "0.4", "0.6",
    ),
}  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_order_state_changes(scenario: str) -> None:
    """K7 and the FIX order state change matrices, told to the reducer one report at a time."""
    said, status, doubt, cum, leaves = SCENARIOS[scenario]

    state = fold(ORDER, [fact for stamp, report in enumerate(said, 1) for fact in told(report, stamp)])

    assert (state.ord_status, state.doubt) == (status, doubt)
    assert (state.cum_qty, state.leaves_qty) == (D(cum), D(leaves))


def test_a_gap_is_filled_at_the_price_the_venue_states() -> None:
    facts = told(a_fill("e1", "0.4", "100"), 1) + told(
        a_report(OrdStatus.PARTIALLY_FILLED, cum_qty=D("0.9"), avg_px=D("110")), 2
    )

    state = fold(ORDER, facts)

    assert (state.cum_qty, state.cum_value, state.avg_px) == (D("0.9"), D("99"), D("110"))


def test_real_fills_replace_the_gap_and_the_value_is_theirs() -> None:
    """K7: never counted twice, and the average is exact once every fill is known."""
    told_sum = told(a_report(OrdStatus.FILLED, cum_qty=D(1), avg_px=D("100.333333")), 1)
    first, second = told(a_fill("e1", "0.4", "100"), 2), told(a_fill("e2", "0.6", "101"), 3)

    assert fold(ORDER, told_sum).cum_value == D("100.333333")
    assert fold(ORDER, told_sum + first).cum_qty == 1
    assert fold(ORDER, told_sum + first + second).cum_value == D("100.6")
    assert fold(ORDER, told_sum + first + second).cum_qty == 1


def test_a_gap_without_a_price_is_valued_like_the_fills_that_are_known() -> None:
    facts = told(a_fill("e1", "0.4", "100"), 1) + told(a_report(OrdStatus.PARTIALLY_FILLED, cum_qty=D("0.6")), 2)

    assert fold(ORDER, facts).cum_value == 60


def test_a_gap_that_nobody_has_priced_has_no_value_yet() -> None:
    state = fold(ORDER, told(a_report(OrdStatus.PARTIALLY_FILLED, cum_qty=D("0.6")), 1))

    assert (state.cum_qty, state.cum_value) == (D("0.6"), 0)


def test_a_stated_average_below_the_known_fills_never_makes_a_negative_fill() -> None:
    facts = told(a_fill("e1", "0.5", "200"), 1) + told(
        a_report(OrdStatus.PARTIALLY_FILLED, cum_qty=D("0.6"), avg_px=D("10")), 2
    )

    assert fold(ORDER, facts).cum_value == 100


def test_of_two_equal_sums_the_one_with_a_price_counts_then_the_newer() -> None:
    bare = told(a_report(OrdStatus.CANCELED, cum_qty=D("0.5")), 9)
    old = told(a_report(OrdStatus.PARTIALLY_FILLED, cum_qty=D("0.5"), avg_px=D(100)), 1)
    new = told(a_report(OrdStatus.NEW, cum_qty=D("0.5"), avg_px=D(104)), 2)

    assert fold(ORDER, bare + old).cum_value == 50
    assert fold(ORDER, bare + old + new).cum_value == 52


def test_a_bust_lowers_what_the_venue_had_summed_before_it() -> None:
    """Row 35: the sum was stated while the fill still stood."""
    summed = told(a_fill("e1", "0.4", "100", cum_qty=D("0.4"), avg_px=D(100)), 1)
    later = told(a_fill("e2", "0.5", "100", cum_qty=D("0.9"), avg_px=D(100)), 2)
    bust = told(a_fill("e1", "0.4", exec_type=ExecType.TRADE_CANCEL), 3)

    state = fold(ORDER, summed + later + bust)

    assert (state.cum_qty, state.cum_value) == (D("0.5"), 50)


def test_a_sum_stated_after_the_bust_is_taken_as_it_is() -> None:
    fill = told(a_fill("e1", "0.4", "100"), 1)
    bust = told(a_fill("e1", "0.4", exec_type=ExecType.TRADE_CANCEL), 2)
    summed = told(a_report(OrdStatus.PARTIALLY_FILLED, cum_qty=D("0.6"), avg_px=D(100)), 3)

    assert fold(ORDER, fill + bust + summed).cum_qty == D("0.6")


def test_a_busted_fill_takes_its_fee_with_it() -> None:
    fill = told(a_fill("e1", "0.4", fee=D("0.2")), 1)
    bust = told(a_fill("e1", "0.4", exec_type=ExecType.TRADE_CANCEL), 2)

    assert fold(ORDER, fill).fees == D("0.2")
    assert fold(ORDER, fill + bust).fees == 0
