"""The small words: steps of an instrument, derived ids, codes, and which errors prove what."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import OrdStatus, Side
from nightdesk.model.errors import GateClosed, NotSent, OutcomeUnknown, RateLimited, Refused, VenueError
from nightdesk.model.identifiers import AccountId, SignalId, derive_cl_ord_id
from nightdesk.model.position import Position
from tests.samples import BTC, HAND, MAIN, D, a_quote, an_instrument

STEPS = st.sampled_from([D("0.001"), D("0.01"), D("0.05"), D("1"), D("25")])
AMOUNTS = st.decimals(min_value=0, max_value=10**6, places=6, allow_nan=False)
NAMES = st.text(alphabet="ab|:1", max_size=4)


@given(AMOUNTS, STEPS)
def test_a_quantity_is_cut_to_whole_lots_and_never_up(qty: Decimal, lot: Decimal) -> None:
    instrument = an_instrument(lot_size=lot)

    cut = instrument.round_qty(qty)

    assert instrument.in_lots(cut)
    assert qty - lot < cut <= qty


@given(AMOUNTS, STEPS)
def test_a_price_goes_to_the_nearest_tick(px: Decimal, tick: Decimal) -> None:
    instrument = an_instrument(tick_size=tick)

    near = instrument.round_px(px)

    assert instrument.on_tick(near)
    assert abs(near - px) <= tick / 2


@given(st.lists(st.tuples(NAMES, NAMES, NAMES, st.integers(0, 20)), min_size=2, max_size=2, unique=True))
def test_no_two_legs_share_an_id(pair: list[tuple[str, str, str, int]]) -> None:
    first, second = (
        derive_cl_ord_id(install, AccountId(account), SignalId(signal), leg) for install, account, signal, leg in pair
    )

    assert first != second
    assert len(first) == len(second) == 32


def test_the_same_leg_has_the_same_id_for_ever() -> None:
    """Row 54: also over a restart and over versions, so the value itself is pinned."""
    signal = SignalId("00064a1b2c3d4e5f60718293a4b5c6d7")
    made = derive_cl_ord_id("install", AccountId("main"), signal, 0)

    assert made == derive_cl_ord_id("install", AccountId("main"), signal, 0)
    assert made == "00064a1b2c3dcbc5cc798b26780ba87c"
    assert int(made, 16) > 0


def test_ids_sort_like_the_signals_they_are_made_of() -> None:
    signals = [SignalId(f"{number:012x}{number:020x}") for number in (1, 2, 255, 4096)]
    made = [derive_cl_ord_id("install", AccountId("main"), signal, leg) for signal in signals for leg in (0, 1)]

    assert [each[:12] for each in made] == sorted(each[:12] for each in made)


def test_every_code_says_what_it_means_and_what_to_do() -> None:
    """X4: explained in the refusal."""
    for code in DenyCode:
        for text in (code.meaning, code.next_step):
            assert text.endswith(".")
            assert not {"!", "please", "successfully"} & set(text.lower().split())
    assert len({code.meaning for code in DenyCode}) == len(DenyCode)


def test_the_sides_are_opposite() -> None:
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)
    assert all(side.opposite.opposite is side and side.opposite is not side for side in Side)


def test_exactly_five_statuses_are_final() -> None:
    assert {status for status in OrdStatus if status.terminal} == {
        OrdStatus.FILLED,
        OrdStatus.CANCELED,
        OrdStatus.EXPIRED,
        OrdStatus.REJECTED,
        OrdStatus.DENIED,
    }


def test_only_what_is_proven_counts_as_not_sent() -> None:
    """2b: a timeout or an unreadable answer must never be taken for a refusal."""
    assert issubclass(OutcomeUnknown, VenueError)
    assert not issubclass(OutcomeUnknown, NotSent)
    assert RateLimited("slow down", retry_after=3).retry_after == 3
    assert GateClosed(DenyCode.HALTED, "halted").code is DenyCode.HALTED
    assert isinstance(GateClosed(DenyCode.HALTED, "halted"), NotSent)
    refused = Refused(DenyCode.FIELD_MISSING, "no size", field="size")
    assert (refused.code, refused.field, str(refused)) == (DenyCode.FIELD_MISSING, "size", "no size")


def test_the_middle_of_a_quote() -> None:
    assert a_quote("99", "102").mid == D("100.5")


def test_a_flat_position_has_no_average_price() -> None:
    flat = Position(account_id=MAIN, symbol=BTC, sleeve=HAND)

    assert flat.avg_px is None
    assert flat.unrealised_pnl(D(100)) == 0
