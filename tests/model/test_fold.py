"""An order is a function of the set of its facts: whatever arrives, in any order and any number of times."""

import itertools
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nightdesk.model.enums import Doubt, ExecType, OrdStatus
from nightdesk.model.execution import ExecutionReport, Fact, FactKind
from nightdesk.model.order import distinct, fold
from tests.model.evidence import (
    ORDER,
    PRICES,
    QTYS,
    STAMPS,
    evidence,
    lives,
    one_by_one,
)
from tests.samples import D, a_fill, a_report, told


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
