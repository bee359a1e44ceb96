"""What is not known about an order, what we said of it that turns out otherwise, and what a person settles."""

from dataclasses import replace

import pytest

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import Doubt, OrdStatus
from nightdesk.model.execution import Fact, FactKind
from nightdesk.model.order import NOT_FOUND_PROOF, fold
from tests.model.evidence import ORDER, own
from tests.samples import D, a_fill, a_report, told

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
