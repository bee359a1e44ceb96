"""Rows 26, 27 and 30 to 36: what an exchange tells twice, late, in the wrong order, or takes back."""

import time

import pytest

from tests.path.conftest import Open
from tests.path.scene import Scene, buy, cancel, rest

pytestmark = [pytest.mark.crash]

PX = "66000"


def resting(scene: Scene) -> int:
    """The pid of a desk with one order of 0.01 BTC that rests."""
    pid = scene.start(rest("k"))
    scene.until(lambda: scene.states() == ["NEW NONE"])
    return pid


def fill(scene: Scene, qty: str) -> None:
    """The exchange fills the one order by so much, whatever its state."""
    scene.fault("force_fill", client_id=scene.order().order.cl_ord_id, qty=qty, px=PX)


def audited(scene: Scene) -> list[str]:
    return [row[0] for row in scene.rows("SELECT detail FROM reconciliations WHERE result = 'mismatch'")]


@pytest.mark.parametrize("kind", ["duplicate", "reorder"])
def test_reports_told_twice_or_backwards_count_once(open_scene: Open, kind: str) -> None:
    """Rows 26 and 27: also the fill that is told before the answer to the order."""
    scene = open_scene("A")
    scene.fault(kind, verb="report", times=None, parts=3)
    scene.fault("partial", verb="order", times=None, parts=4)
    scene.start(*(buy(f"k{n}", size=f"0.0{n}", time_in_force="gtc") for n in (1, 2, 3)))
    scene.until(lambda: scene.states() == ["FILLED NONE"] * 3)
    scene.clean()
    assert str(scene.position()) == "0.06"


def test_a_cancel_that_crosses_a_partial_fill_leaves_the_exact_rest(open_scene: Open) -> None:
    """Row 30: the fill wins, the rest is canceled."""
    scene = open_scene("A")
    resting(scene)
    scene.fault("late_accept", verb="cancel", delay=0.5)
    scene.start_more(cancel("c"))
    scene.until(lambda: scene.requests("cancel") == 1)
    fill(scene, "0.004")
    scene.until(lambda: scene.states() == ["CANCELED NONE"])
    assert str(scene.order().state.cum_qty) == "0.004"
    scene.clean()


def test_a_cancel_that_comes_after_the_fill_finds_the_order_filled(open_scene: Open) -> None:
    """Row 30: refused as filled."""
    scene = open_scene("A")
    resting(scene)
    scene.fault("late_accept", verb="cancel", delay=0.5)
    scene.start_more(cancel("c"))
    scene.until(lambda: scene.requests("cancel") == 1)
    fill(scene, "0.01")
    scene.until(lambda: scene.states() == ["FILLED NONE"])
    scene.until(lambda: scene.rows("SELECT state FROM commands WHERE kind = 'CANCEL'") == [("REJECTED",)])
    scene.clean()


@pytest.mark.parametrize("kind", ["lost_request", "lost_reply", "hang_after_accept"])
def test_a_cancel_without_an_answer_is_asked_about_and_sent_again(open_scene: Open, kind: str) -> None:
    """Row 31: the order counts in full until its end is proven."""
    scene = open_scene("A")
    resting(scene)
    scene.fault(kind, verb="cancel")
    scene.start_more(cancel("c"))
    scene.until(lambda: scene.states() == ["CANCELED NONE"])
    scene.clean()
    assert len(scene.lines("cancel")) == 1


def test_a_fill_after_the_cancel_is_booked(open_scene: Open) -> None:
    """Row 32: also while nobody listens."""
    scene = open_scene("A")
    resting(scene)
    pid = scene.start_more(cancel("c"))
    scene.until(lambda: scene.states() == ["CANCELED NONE"])
    fill(scene, "0.002")
    scene.until(lambda: str(scene.position()) == "0.002")
    scene.kill(pid)
    fill(scene, "0.003")
    scene.start()
    scene.until(lambda: str(scene.position()) == "0.005")
    assert scene.states() == ["CANCELED NONE"]
    events = scene.rows("SELECT data FROM events WHERE topic = 'order.updated' AND data LIKE '%late_fill%'")
    assert len(events) == 2
    scene.clean()


@pytest.mark.parametrize("listening", [True, False])
def test_a_fill_after_a_rejection_is_disputed_and_stops_new_exposure(open_scene: Open, listening: bool) -> None:
    """Row 33: whether the desk hears it at once or finds it when it starts."""
    scene = open_scene("A")
    scene.fault("reject", text="no")
    pid = scene.start(buy("k"))
    scene.until(lambda: scene.states() == ["REJECTED NONE"])
    if not listening:
        scene.kill(pid)
    fill(scene, "0.01")
    if not listening:
        scene.start()
    scene.until(lambda: str(scene.position()) == "0.01")
    scene.until(lambda: scene.trading() == "REDUCING")
    time.sleep(0.5)
    assert scene.trading() == "REDUCING"
    assert [state.split()[1] for state in scene.states()] == ["DISPUTED"]


@pytest.mark.parametrize("listening", [True, False])
def test_more_than_was_asked_is_booked_and_disputed(open_scene: Open, listening: bool) -> None:
    """Row 34: an overfill is real money."""
    scene = open_scene("A")
    pid = resting(scene)
    if not listening:
        scene.kill(pid)
    fill(scene, "0.013")
    if not listening:
        scene.start()
    scene.until(lambda: scene.states() == ["FILLED DISPUTED"])
    assert str(scene.position()) == "0.013"
    scene.until(lambda: scene.trading() == "REDUCING")
    assert len(scene.verdict().in_doubt) == 1
    assert scene.verdict().clean, scene.verdict().findings()


def test_a_fill_told_in_two_ways_is_booked_once_and_disputed(open_scene: Open) -> None:
    """Row 26: the same exec_id at another price."""
    scene = open_scene("A")
    scene.fault("conflict", verb="report")
    scene.start(buy("k"))
    scene.until(lambda: scene.states() == ["FILLED DISPUTED"])
    assert str(scene.position()) == "0.01"
    scene.until(lambda: scene.trading() == "REDUCING")


@pytest.mark.parametrize("partly", [False, True])
def test_an_exchange_that_forgets_its_book_makes_orders_missing_and_nothing_is_placed_again(
    open_scene: Open, partly: bool
) -> None:
    """Row 36: not canceled, not placed again; a person decides, and old evidence does not undo that."""
    scene = open_scene("A")
    pid = resting(scene)
    if partly:
        fill(scene, "0.004")
        scene.until(lambda: scene.states() == ["PARTIALLY_FILLED NONE"])
    scene.fault("wipe_book")
    expected = "PARTIALLY_FILLED MISSING" if partly else "NEW MISSING"
    scene.until(lambda: scene.states() == [expected])
    scene.kill(pid)
    pid = scene.start()
    time.sleep(1.5)
    assert scene.states() == [expected]
    scene.kill(pid)
    scene.abandon()
    decided = scene.states()
    scene.start()
    time.sleep(2.5)
    assert scene.states() == decided == ["CANCELED NONE" if partly else "DENIED NONE"]
    assert scene.requests() == len(scene.lines("accept")) == 1


def test_a_position_nobody_ordered_turns_the_account_to_reducing(open_scene: Open) -> None:
    """Row 38: named, recorded, and not corrected in silence."""
    scene = open_scene("A")
    scene.start(buy("k"))
    scene.until(lambda: scene.states() == ["FILLED NONE"])
    scene.fault("adjust", symbol="ETH-USD", qty="0.5", px="3400")
    scene.until(lambda: scene.trading() == "REDUCING")
    assert any("ETH-USD" in detail for detail in audited(scene))
    assert str(scene.position("ETH-USD")) == "0"


def test_an_order_placed_by_hand_at_the_exchange_is_unknown_and_said_so(open_scene: Open) -> None:
    """Row 39: never adopted in silence."""
    scene = open_scene("A")
    scene.start(buy("k"))
    scene.until(lambda: scene.states() == ["FILLED NONE"])
    scene.place_by_hand("ETH-USD", "0.1", "3000")
    scene.until(lambda: scene.trading() == "REDUCING")
    assert any("is not ours" in detail for detail in audited(scene))
    assert len(scene.verdict().unknown) == 1
