"""An order is a function of the set of its facts: whatever arrives, in any order and any number of times."""

import itertools
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import Doubt, ExecType, OrdStatus
from nightdesk.model.execution import ExecutionReport, Fact, FactKind, facts_of
from nightdesk.model.identifiers import ExecId, OrderId
from nightdesk.model.order import NOT_FOUND_PROOF, Order, OrderState, distinct, fold, is_positive, supersedes
from tests.fakes import START, D, a_fill, a_report, an_order, told

ORDER = an_order()
QTYS = st.sampled_from([D("0.1"), D("0.4"), D("0.5"), D("1"), D("1.5")])
PRICES = st.sampled_from([D("90"), D("100"), D("110.5")])
STAMPS = st.integers(1, 12)
TERMINAL = [OrdStatus.FILLED, OrdStatus.CANCELED, OrdStatus.EXPIRED, OrdStatus.REJECTED]
STATED = [OrdStatus.PENDING_NEW, OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED, *TERMINAL]


@st.composite
def reports(draw: st.DrawFn) -> ExecutionReport:
    """Anything a venue may say, whether or not it fits what it said before."""
    status = draw(st.sampled_from(STATED))
    kind = draw(st.sampled_from([ExecType.ORDER_STATUS, ExecType.TRADE, ExecType.TRADE_CANCEL, ExecType.REPLACED]))
    cum = draw(st.none() | st.sampled_from([D(0), D("0.4"), D("0.5"), D("0.9"), D("1"), D("1.5")]))
    report = ExecutionReport(
        cl_ord_id=ORDER.cl_ord_id,
        exec_type=kind,
        ord_status=status,
        order_id=draw(st.none() | st.sampled_from([OrderId("v1"), OrderId("v2")])),
        cum_qty=cum,
        avg_px=draw(st.none() | PRICES) if cum else None,
        text=draw(st.sampled_from(["", "margin", "closed"])),
    )
    if kind in (ExecType.TRADE, ExecType.TRADE_CANCEL):
        exec_id = draw(st.sampled_from([ExecId("e1"), ExecId("e2"), ExecId("e3")]))
        fee = draw(st.sampled_from([D(0), D("0.1")]))
        return replace(report, exec_id=exec_id, last_qty=draw(QTYS), last_px=draw(PRICES), fee=fee)
    if kind is ExecType.REPLACED:
        return replace(report, revision=draw(st.integers(1, 2)), order_qty=draw(QTYS))
    return report


@st.composite
def own_facts(draw: st.DrawFn) -> Fact:
    """Anything we ourselves may have come to know or decided."""
    kind = draw(
        st.sampled_from(
            [
                FactKind.OUTCOME_UNKNOWN,
                FactKind.NOT_FOUND,
                FactKind.DENIED,
                FactKind.EXPIRED,
                FactKind.HELD,
                FactKind.APPROVED,
                FactKind.DECISION,
            ]
        )
    )
    stamp = draw(STAMPS)
    fact = Fact(key=f"{kind}:{stamp}", kind=kind, stamp=stamp, at=START, origin="desk")
    if kind in (FactKind.DENIED, FactKind.EXPIRED):
        return replace(fact, key=kind.value, code=draw(st.sampled_from([DenyCode.PROVEN_ABSENT, DenyCode.DEADLINE])))
    if kind is FactKind.DECISION:
        status = draw(st.sampled_from([None, OrdStatus.DENIED, OrdStatus.CANCELED]))
        return replace(fact, ord_status=status, cum_qty=draw(st.none() | QTYS), code=DenyCode.ABANDONED)
    return fact


@st.composite
def evidence(draw: st.DrawFn) -> list[Fact]:
    """A heap of facts, contradictory as often as not."""
    heap: list[Fact] = draw(st.lists(own_facts(), max_size=4))
    for report in draw(st.lists(reports(), max_size=5)):
        heap += facts_of(report, stamp=draw(STAMPS), at=START, origin=draw(st.sampled_from(["stream", "probe"])))
    return heap


def one_by_one(order: Order, facts: list[Fact]) -> OrderState:
    """The state as confirm reaches it: each fact weighed in by itself."""
    known: list[Fact] = []
    state = fold(order, known)
    for fact in facts:
        known = distinct([*known, fact])
        state = fold(order, known)
    return state


@given(st.data())
def test_disorder_and_repeats_change_nothing(data: st.DataObject) -> None:
    """Rows 26, 27, 28: any permutation of any facts, with any of them repeated, ends in the same state."""
    facts = data.draw(evidence())
    repeated = data.draw(st.lists(st.sampled_from(facts), max_size=6)) if facts else []
    shuffled = data.draw(st.permutations([*facts, *repeated]))

    state = fold(ORDER, facts)

    assert fold(ORDER, shuffled) == state
    assert one_by_one(ORDER, shuffled) == state


@given(evidence())
@example(list(told(a_report(OrdStatus.REJECTED, text="margin"), 1) + told(a_report(OrdStatus.REJECTED, text="no"), 1)))
def test_distinct_depends_on_no_order_even_where_two_facts_share_key_and_stamp(facts: list[Fact]) -> None:
    assert distinct(facts) == distinct(reversed(facts))
    assert distinct(distinct(facts)) == distinct(facts)
    assert len({fact.key for fact in distinct(facts)}) == len(distinct(facts))


@pytest.mark.parametrize("size", [4, 5])
def test_all_permutations_of_a_whole_life_end_the_same(size: int) -> None:
    """Row 28: every permutation, not a sample, of acknowledged, partly filled, busted, filled and canceled."""
    life = [
        told(a_report(OrdStatus.NEW), 1),
        told(a_fill("e1", "0.4", cum_qty=D("0.4")), 2),
        told(a_fill("e1", "0.4", exec_type=ExecType.TRADE_CANCEL, cum_qty=D(0)), 3),
        told(a_fill("e2", "0.7", cum_qty=D("0.7")), 4),
        told(a_report(OrdStatus.CANCELED, cum_qty=D("0.7")), 5),
    ][:size]
    expected = fold(ORDER, itertools.chain(*life))

    states = {fold(ORDER, itertools.chain(*some)) for some in itertools.permutations(life)}

    assert states == {expected}


@given(evidence())
def test_the_quantity_is_never_negative_and_never_more_than_some_evidence_says(facts: list[Fact]) -> None:
    state = fold(ORDER, facts)

    real = {(fact.exec_id, fact.last_qty) for fact in facts if fact.kind is FactKind.FILL}
    stated = [fact.cum_qty for fact in facts if fact.kind is FactKind.STATUS and fact.cum_qty is not None]
    assert 0 <= state.cum_qty <= max([sum((qty or D(0) for _, qty in real), D(0)), *stated])
    assert state.cum_value >= 0
    assert (state.cum_value > 0) <= (state.cum_qty > 0)
    assert 0 <= state.leaves_qty <= state.order_qty


@given(evidence())
def test_nothing_may_still_fill_once_an_order_has_ended_without_doubt(facts: list[Fact]) -> None:
    state = fold(ORDER, facts)

    if state.ord_status.terminal and state.doubt is Doubt.NONE:
        assert state.leaves_qty == 0
    else:
        assert state.leaves_qty == max(state.order_qty - state.cum_qty, D(0))


@given(evidence(), QTYS, PRICES, STAMPS)
def test_a_real_fill_never_lowers_the_quantity(facts: list[Fact], qty: Decimal, px: Decimal, stamp: int) -> None:
    """Forbidden in 3.1: lowering cum_qty. Only a bust may."""
    before = fold(ORDER, facts)
    fill = told(a_fill("e9", str(qty), str(px)), stamp)[0]

    assert fold(ORDER, [*facts, fill]).cum_qty >= before.cum_qty


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[ExecutionReport], Decimal, Decimal, OrdStatus]:
    """What a truthful venue says over an order's life, and what is true at its end."""
    said = [a_report(OrdStatus.NEW, order_id=OrderId("v1"), cum_qty=D(0))]
    cum, value, number = D(0), D(0), 0
    while cum < 1 and draw(st.booleans()):
        qty, px = min(draw(st.sampled_from([D("0.1"), D("0.3"), D("0.5")])), 1 - cum), draw(PRICES)
        cum, value, number = cum + qty, value + qty * px, number + 1
        status = OrdStatus.FILLED if cum == 1 else OrdStatus.PARTIALLY_FILLED
        told_sum = {"cum_qty": cum, "avg_px": value / cum} if draw(st.booleans()) else {}
        said.append(a_fill(f"e{number}", str(qty), str(px), status, order_id=OrderId("v1"), **told_sum))
    status = said[-1].ord_status
    if status is not OrdStatus.FILLED and draw(st.booleans()):
        status = draw(st.sampled_from([OrdStatus.CANCELED, OrdStatus.EXPIRED]))
        said.append(a_report(status, order_id=OrderId("v1"), cum_qty=cum, avg_px=value / cum if cum else None))
    return said, cum, value, status


@given(lives(), st.data())
def test_a_truthful_venue_is_understood_however_its_words_arrive(
    life: tuple[list[ExecutionReport], Decimal, Decimal, OrdStatus], data: st.DataObject
) -> None:
    """K7. Stamps are given on arrival: what arrives late, twice or out of order is stamped so."""
    said, cum, value, status = life
    heard = data.draw(st.permutations([*said, *data.draw(st.lists(st.sampled_from(said), max_size=4))]))

    state = fold(ORDER, [fact for stamp, report in enumerate(heard, 1) for fact in told(report, stamp)])

    assert (state.ord_status, state.doubt, state.cum_qty) == (status, Doubt.NONE, cum)
    assert abs(state.cum_value - value) < D("1e-20")
    assert state.order_id == "v1"


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


# ------------------------------------------------------------------------------------------- the synthetic fill


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


# --------------------------------------------------------------------------------------------- what we said of it


def own(kind: FactKind, stamp: int, **changed: object) -> tuple[Fact, ...]:
    fact = Fact(key=f"{kind}:{stamp}", kind=kind, stamp=stamp, at=START, origin="desk")
    return (replace(fact, **changed),)  # type: ignore[arg-type]  # keyword names are checked by the dataclass


DENIED = own(FactKind.DENIED, 5, code=DenyCode.PROVEN_ABSENT, text="absent")
EXPIRED = own(FactKind.EXPIRED, 5, code=DenyCode.DEADLINE)
ABANDONED = own(FactKind.DECISION, 5, ord_status=OrdStatus.DENIED, code=DenyCode.ABANDONED, cum_qty=D(0))


@pytest.mark.parametrize(
    ("ended", "status", "code"),
    [
        (DENIED, OrdStatus.DENIED, DenyCode.PROVEN_ABSENT),
        (EXPIRED, OrdStatus.EXPIRED, DenyCode.DEADLINE),
        (ABANDONED, OrdStatus.DENIED, DenyCode.ABANDONED),
    ],
)
def test_a_fill_after_we_ended_the_order_is_disputed_and_counted(
    ended: tuple[Fact, ...], status: OrdStatus, code: DenyCode
) -> None:
    """Rows 32, 33: what we said was at no venue has filled there."""
    quiet = fold(ORDER, own(FactKind.OUTCOME_UNKNOWN, 1) + ended)
    assert (quiet.ord_status, quiet.doubt, quiet.code, quiet.leaves_qty) == (status, Doubt.NONE, code, 0)

    late = fold(ORDER, ended + told(a_fill("e1", "0.4", status=OrdStatus.PARTIALLY_FILLED), 6))

    assert (late.doubt, late.cum_qty, late.leaves_qty) == (Doubt.DISPUTED, D("0.4"), D("0.6"))


@pytest.mark.parametrize("ended", [DENIED, EXPIRED, ABANDONED])
def test_alive_after_we_ended_it_is_disputed(ended: tuple[Fact, ...]) -> None:
    """Row 33: any live report, too."""
    assert fold(ORDER, ended + told(a_report(OrdStatus.NEW), 6)).doubt is Doubt.DISPUTED


@pytest.mark.parametrize("ended", [DENIED, EXPIRED])
def test_life_seen_before_we_said_there_was_none_denies_it_too(ended: tuple[Fact, ...]) -> None:
    """A probe that began before our proof of absence and ended after it."""
    assert fold(ORDER, ended + told(a_report(OrdStatus.NEW), 2)).doubt is Doubt.DISPUTED


def test_an_order_canceled_by_the_venue_after_we_ended_it_is_no_dispute() -> None:
    assert fold(ORDER, ABANDONED + told(a_report(OrdStatus.CANCELED, cum_qty=D(0)), 6)).doubt is Doubt.NONE


def test_held_then_approved_waits_to_be_sent() -> None:
    held, approved = own(FactKind.HELD, 1), own(FactKind.APPROVED, 2)

    assert fold(ORDER, held).ord_status is OrdStatus.HELD
    assert fold(ORDER, held).leaves_qty == 1
    assert fold(ORDER, held + approved).ord_status is OrdStatus.PENDING_NEW
    assert fold(ORDER, held + approved + told(a_report(OrdStatus.NEW), 3)).ord_status is OrdStatus.NEW


# --------------------------------------------------------------------------------------------------------- doubt


def test_sent_without_an_answer_is_unknown_and_keeps_its_quantity() -> None:
    state = fold(ORDER, own(FactKind.OUTCOME_UNKNOWN, 1))

    assert (state.ord_status, state.doubt, state.leaves_qty) == (OrdStatus.PENDING_NEW, Doubt.UNKNOWN, 1)


@pytest.mark.parametrize("stamp", [1, 9])
def test_any_positive_word_beats_unknown_whenever_it_was_said(stamp: int) -> None:
    state = fold(ORDER, own(FactKind.OUTCOME_UNKNOWN, 5) + told(a_report(OrdStatus.NEW), stamp))

    assert (state.ord_status, state.doubt) == (OrdStatus.NEW, Doubt.NONE)


def test_queued_at_the_venue_leaves_the_order_unknown() -> None:
    """Row 22: "queued" says only that the venue heard of it."""
    facts = own(FactKind.OUTCOME_UNKNOWN, 1) + told(a_report(OrdStatus.PENDING_NEW), 2)

    assert fold(ORDER, facts).doubt is Doubt.UNKNOWN


def test_missing_needs_three_denials_in_a_row_and_ends_with_the_next_sign() -> None:
    """Row 36, 3.1: OPEN becomes MISSING, and MISSING whatever it then turns out to be."""
    facts = told(a_report(OrdStatus.NEW), 1)
    for number in range(2, 2 + NOT_FOUND_PROOF):
        assert fold(ORDER, facts).doubt is Doubt.NONE
        facts += own(FactKind.NOT_FOUND, number)

    missing = fold(ORDER, facts)
    back = fold(ORDER, facts + told(a_report(OrdStatus.NEW), 9))

    assert NOT_FOUND_PROOF == 3
    assert (missing.ord_status, missing.doubt, missing.leaves_qty) == (OrdStatus.NEW, Doubt.MISSING, 1)
    assert back.doubt is Doubt.NONE


def test_denials_before_the_newest_sign_do_not_count() -> None:
    facts = own(FactKind.NOT_FOUND, 1) + own(FactKind.NOT_FOUND, 2) + told(a_report(OrdStatus.NEW), 3)

    assert fold(ORDER, facts + own(FactKind.NOT_FOUND, 4) + own(FactKind.NOT_FOUND, 5)).doubt is Doubt.NONE


def test_a_fill_read_again_is_no_new_sign_of_life() -> None:
    """Row 37: the venue's list of trades still names it; that says nothing of where the order stands."""
    fill = told(a_fill("e1", "0.4"), 1)[:1]
    again = (replace(fill[0], stamp=20),)
    denials = own(FactKind.NOT_FOUND, 2) + own(FactKind.NOT_FOUND, 3) + own(FactKind.NOT_FOUND, 4)

    assert fold(ORDER, fill + denials + again).doubt is Doubt.MISSING


def test_an_order_that_was_never_acknowledged_is_unknown_and_not_missing() -> None:
    facts = own(FactKind.OUTCOME_UNKNOWN, 1)
    for number in range(2, 9):
        facts += own(FactKind.NOT_FOUND, number)

    assert fold(ORDER, facts).doubt is Doubt.UNKNOWN


# ---------------------------------------------------------------------------------------------------- settlements


def accepted(stamp: int, cum: str) -> tuple[Fact, ...]:
    return own(FactKind.DECISION, stamp, cum_qty=D(cum))


def test_an_accepted_overfill_stays_accepted_however_often_it_is_repeated() -> None:
    """Row 34: the excess is real; a person saw it once."""
    fills = told(a_fill("e1", "0.8"), 1) + told(a_fill("e2", "0.8"), 2)
    settled = fills + accepted(5, "1.6")
    again = tuple(replace(fact, stamp=fact.stamp + 10) for fact in fills)

    assert fold(ORDER, fills).doubt is Doubt.DISPUTED
    assert fold(ORDER, settled).doubt is Doubt.NONE
    assert fold(ORDER, settled + again).doubt is Doubt.NONE
    assert fold(ORDER, settled + told(a_fill("e3", "0.1"), 20)).doubt is Doubt.DISPUTED


def test_an_accepted_contradiction_stays_accepted_and_a_new_one_does_not() -> None:
    two = told(a_fill("e1", "0.4", "100"), 1)[:1] + told(a_fill("e1", "0.4", "101"), 2)[:1]
    settled = two + accepted(5, "0.4")

    assert fold(ORDER, two).doubt is Doubt.DISPUTED
    assert fold(ORDER, settled).doubt is Doubt.NONE
    assert fold(ORDER, settled + told(a_fill("e1", "0.4", "102"), 6)[:1]).doubt is Doubt.DISPUTED


@pytest.mark.parametrize("ended", [DENIED, EXPIRED, told(a_report(OrdStatus.REJECTED), 5)])
def test_an_accepted_full_fill_is_not_reopened_by_the_venue_repeating_it(ended: tuple[Fact, ...]) -> None:
    """Row 33: it filled although we or the venue had said no, a person took it so, and the venue goes on saying so."""
    filled = told(a_fill("e1", "1", status=OrdStatus.FILLED, cum_qty=D(1)), 6)
    settled = ended + filled + accepted(8, "1")

    assert fold(ORDER, ended + filled).doubt is Doubt.DISPUTED
    assert fold(ORDER, settled).doubt is Doubt.NONE

    for stamp in (20, 30):
        settled += tuple(replace(fact, stamp=stamp) for fact in filled)
        assert fold(ORDER, settled).doubt is Doubt.NONE


def test_an_accepted_part_of_an_order_the_venue_has_ended_is_not_reopened() -> None:
    said = told(a_fill("e1", "0.4", cum_qty=D("0.4")), 6) + told(a_report(OrdStatus.CANCELED, cum_qty=D("0.4")), 7)
    settled = DENIED + said + accepted(8, "0.4")

    assert fold(ORDER, DENIED + said).doubt is Doubt.DISPUTED
    assert fold(ORDER, settled).doubt is Doubt.NONE
    assert fold(ORDER, settled + tuple(replace(fact, stamp=20) for fact in said)).doubt is Doubt.NONE


def test_an_abandoned_order_that_the_venue_then_shows_alive_is_disputed() -> None:
    """A person said that it is not there; the venue says that it is."""
    facts = own(FactKind.OUTCOME_UNKNOWN, 1) + ABANDONED

    assert fold(ORDER, facts).doubt is Doubt.NONE
    assert fold(ORDER, facts + told(a_report(OrdStatus.NEW), 6)).doubt is Doubt.DISPUTED
    assert fold(ORDER, facts + told(a_report(OrdStatus.FILLED), 6)).doubt is Doubt.DISPUTED


def test_an_accepted_order_that_may_still_live_is_disputed_again_when_the_venue_says_so_again() -> None:
    """The desk counts it as ended and reserves nothing, so that a live order there can never be old news."""
    facts = DENIED + told(a_report(OrdStatus.NEW), 6) + accepted(8, "0")

    assert fold(ORDER, facts).doubt is Doubt.NONE
    assert fold(ORDER, facts + told(a_report(OrdStatus.NEW), 9)).doubt is Doubt.DISPUTED


def test_a_decision_ends_unknown_and_missing_until_new_evidence() -> None:
    unknown = own(FactKind.OUTCOME_UNKNOWN, 1)
    missing = told(a_report(OrdStatus.NEW), 1)
    for number in (2, 3, 4):
        missing += own(FactKind.NOT_FOUND, number)

    assert fold(ORDER, unknown + accepted(5, "0")).doubt is Doubt.NONE
    assert fold(ORDER, unknown + accepted(5, "0") + own(FactKind.OUTCOME_UNKNOWN, 6)).doubt is Doubt.UNKNOWN
    assert fold(ORDER, missing + accepted(5, "0")).doubt is Doubt.NONE
    for number in (6, 7, 8):
        missing += own(FactKind.NOT_FOUND, number)
    assert fold(ORDER, missing + accepted(5, "0")).doubt is Doubt.MISSING


def test_abandoning_after_a_part_has_filled_keeps_the_part() -> None:
    decision = own(FactKind.DECISION, 9, ord_status=OrdStatus.CANCELED, cum_qty=D("0.4"), code=DenyCode.ABANDONED)

    state = fold(ORDER, told(a_fill("e1", "0.4"), 1) + decision)

    assert (state.ord_status, state.doubt, state.cum_qty) == (OrdStatus.CANCELED, Doubt.NONE, D("0.4"))
    assert state.code is DenyCode.ABANDONED


def test_the_reason_shown_is_that_of_the_status_shown() -> None:
    rejected = fold(ORDER, told(a_report(OrdStatus.REJECTED, text="margin"), 1))
    denied = fold(ORDER, DENIED)
    filled_anyway = fold(ORDER, DENIED + told(a_fill("e1", "1", status=OrdStatus.FILLED), 6))

    assert (rejected.text, rejected.code) == ("margin", None)
    assert (denied.text, denied.code) == ("absent", DenyCode.PROVEN_ABSENT)
    assert (filled_anyway.ord_status, filled_anyway.code) == (OrdStatus.FILLED, None)


# ------------------------------------------------------------------------------------------------- facts of a report


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
