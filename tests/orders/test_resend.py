"""3.3: what may be done about an order nobody answered for depends on what its venue can prove, never on a count."""

from datetime import timedelta

import pytest

from nightdesk.model.enums import CommandKind, ResendClass
from nightdesk.model.execution import Fact, FactKind
from nightdesk.model.venue import Capabilities
from nightdesk.orders.outgoing.store import StoredSend
from nightdesk.orders.resend import CLOCK_SKEW, NOT_FOUNDS_NEEDED, Step, next_step
from nightdesk.runtime.database import to_micros
from tests.samples import START, an_order

VALIDITY, SETTLE = timedelta(seconds=10), timedelta(seconds=2)
PROOF_FROM = VALIDITY + CLOCK_SKEW + SETTLE
A, B, C, D, E = ResendClass.A, ResendClass.B, ResendClass.C, ResendClass.D, ResendClass.E


def sent(at: float = 0.0, *, validity: timedelta | None = VALIDITY, kind: CommandKind = CommandKind.NEW) -> StoredSend:
    moment = START + timedelta(seconds=at)
    return StoredSend(
        wire_id="w",
        kind=kind,
        attempt=1,
        valid_until=to_micros(moment + validity) if validity is not None else None,
        sending_at=to_micros(moment),
        first_byte_at=None,
        outcome="",
    )


def not_found(*seconds: float) -> list[Fact]:
    return [
        Fact(
            key=f"notfound:{second}",
            kind=FactKind.NOT_FOUND,
            stamp=1,
            at=START + timedelta(seconds=second),
            origin="probe",
        )
        for second in seconds
    ]


def step(
    resend: ResendClass,
    *,
    sends: list[StoredSend] | None = None,
    facts: list[Fact] | None = None,
    now: float = 20.0,
    deadline: float = 30.0,
    watched: float = 3600.0,
    validity: timedelta | None = VALIDITY,
) -> Step:
    return next_step(
        an_order(deadline_at=START + timedelta(seconds=deadline)),
        Capabilities(resend=resend, validity=validity, settle=SETTLE),
        [sent(validity=validity)] if sends is None else sends,
        facts or [],
        now=START + timedelta(seconds=now),
        watched=timedelta(seconds=watched),
    )


EARLY, ONE, PROOF = not_found(5), not_found(13), not_found(13, 14)
OVER = {"deadline": 10.0}

# Class, what was asked and not found, whether the deadline is over: the step.
TRUTH = [
    (A, [], {}, Step.WAIT),
    (A, EARLY, {}, Step.RESEND),
    (A, PROOF, {}, Step.RESEND),
    (A, [], OVER, Step.WAIT),
    (A, EARLY, OVER, Step.WAIT),
    (A, ONE, OVER, Step.WAIT),
    (A, PROOF, OVER, Step.ABSENT),
    (B, [], {}, Step.WAIT),
    (B, EARLY, {}, Step.WAIT),
    (B, ONE, {}, Step.WAIT),
    (B, PROOF, {}, Step.RESEND),
    (B, EARLY, OVER, Step.WAIT),
    (B, PROOF, OVER, Step.ABSENT),
    (C, [], {}, Step.RESEND),
    (C, EARLY, OVER, Step.WAIT),
    (C, PROOF, OVER, Step.ABSENT),
    (D, [], {}, Step.RESEND),
    (D, EARLY, OVER, Step.WAIT),
    (D, PROOF, OVER, Step.ABSENT),
    (E, [], {}, Step.PERSON),
    (E, PROOF, {}, Step.PERSON),
    (E, PROOF, OVER, Step.PERSON),
]


@pytest.mark.parametrize(("resend", "facts", "over", "expected"), TRUTH)
def test_the_step_each_class_allows(
    resend: ResendClass, facts: list[Fact], over: dict[str, float], expected: Step
) -> None:
    assert step(resend, facts=facts, **over) is expected


@pytest.mark.parametrize("resend", [A, B, C, D])
@pytest.mark.parametrize(("deadline", "facts"), [(10.0, PROOF), (10.0, [])])
def test_without_a_bounded_validity_absence_is_never_proven_by_time(
    resend: ResendClass, deadline: float, facts: list[Fact]
) -> None:
    """Result 1: not found is no proof of never accepted. Past the deadline a person decides."""
    assert step(resend, facts=facts, deadline=deadline, validity=None) is Step.PERSON


def test_class_b_without_a_validity_waits_while_the_order_is_wanted() -> None:
    assert step(B, facts=PROOF, validity=None) is Step.WAIT


@pytest.mark.parametrize(
    ("first", "second", "proven"),
    [(12.999, 14, False), (13, 13.5, True), (13, 12.9, False), (5, 9, False), (20, 30, True)],
)
def test_both_denials_must_come_after_validity_skew_and_settling(first: float, second: float, proven: bool) -> None:
    """Row 18: accepted late, after the first probe said not found."""
    assert timedelta(seconds=13) == PROOF_FROM
    assert NOT_FOUNDS_NEEDED == 2
    expected = Step.ABSENT if proven else Step.WAIT
    assert step(B, facts=not_found(first, second), deadline=10) is expected


@pytest.mark.parametrize(("watched", "expected"), [(0, Step.WAIT), (11.9, Step.WAIT), (12, Step.ABSENT)])
def test_the_wall_clock_alone_proves_nothing(watched: float, expected: Step) -> None:
    """Row 43: the clock has jumped ahead, but by the monotonic clock the validity is not yet over."""
    assert step(B, facts=not_found(3600, 3601), now=3601, watched=watched) is expected


def test_every_message_must_be_past_its_validity() -> None:
    again = [sent(0), sent(8)]

    assert step(B, sends=again, facts=PROOF, deadline=10) is Step.WAIT
    assert step(B, sends=again, facts=not_found(21, 22), deadline=10) is Step.ABSENT


def test_a_message_without_a_validity_cannot_be_proven_absent() -> None:
    assert step(B, sends=[sent(0), sent(1, validity=None)], facts=PROOF, deadline=10) is Step.WAIT


def test_without_any_message_nothing_is_proven() -> None:
    assert step(B, sends=[], facts=PROOF, deadline=10) is Step.WAIT


def test_a_cancel_s_message_proves_nothing_about_the_order() -> None:
    assert step(B, sends=[sent(kind=CommandKind.CANCEL)], facts=PROOF, deadline=10) is Step.WAIT
    assert step(B, sends=[sent(), sent(100, kind=CommandKind.CANCEL)], facts=PROOF, deadline=10) is Step.ABSENT


def test_class_a_resends_only_after_a_denial_newer_than_its_last_message() -> None:
    assert step(A, sends=[sent(0), sent(6)], facts=not_found(5)) is Step.WAIT
    assert step(A, sends=[sent(0), sent(6)], facts=not_found(6)) is Step.WAIT
    assert step(A, sends=[sent(0), sent(6)], facts=not_found(6.1)) is Step.RESEND
    assert step(A, sends=[sent(0), sent(9, kind=CommandKind.CANCEL)], facts=not_found(5)) is Step.RESEND


def test_other_evidence_is_no_denial() -> None:
    unknown = [
        Fact(key="unknown:1", kind=FactKind.OUTCOME_UNKNOWN, stamp=1, at=START + timedelta(seconds=14), origin="desk")
    ]

    assert step(B, facts=not_found(13) + unknown, deadline=10) is Step.WAIT
    assert step(A, facts=unknown) is Step.WAIT


def test_an_undeclared_venue_is_class_e() -> None:
    assert Capabilities().resend is E


def test_at_the_deadline_an_order_is_no_longer_wanted() -> None:
    assert step(C, now=29.999999) is Step.RESEND
    assert step(C, now=30) is Step.WAIT
