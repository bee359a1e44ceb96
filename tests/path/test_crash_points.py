"""Rows 1 to 8: the life of an order and of a cancel, with the process killed at every passage of every crash point."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import pytest

from tests.path.alerts import Asked
from tests.path.conftest import Open
from tests.path.points import POINTS
from tests.path.scene import Scene, buy, cancel, rest

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(150)]

MOST_PASSAGES = 3
AT_ONCE = 10
UNSENT = ("accept.before_commit", "accept.after_commit", "send.before_commit", "send.after_commit")
"""Where the first passage is before any byte has left; `send.before_first_byte` is one more."""


@dataclass(frozen=True, slots=True)
class Death:
    """One scene whose desk was killed at one passage of one point."""

    scene: Scene
    point: str
    passage: int
    requests: int
    """How many requests for the order the exchange had seen by then."""


def killed_everywhere(open_one: Callable[[], Scene], asked: Asked, points: Sequence[str], most: int) -> list[Death]:
    """A scene for each passage of each point that the flow reaches; each desk has died there."""
    deaths = []
    for point in points:
        for passage in range(1, most + 1):
            scene = open_one()
            pid = scene.start(asked, crash_at=f"{point}:{passage}")
            if not died_on_the_way(scene, pid, asked.key):
                scene.kill(pid)
                break
            deaths.append(Death(scene, point, passage, scene.requests()))
    return deaths


def died_on_the_way(scene: Scene, pid: int, key: str) -> bool:
    """False when the desk has done all there was to do and lives."""
    deadline = time.monotonic() + 10.0
    while time.monotonic() < deadline:
        if scene.dies(pid, 0.05):
            return True
        if key in scene.answers() and scene.settled():
            return scene.dies(pid, 0.1)
    raise AssertionError(scene.told())


def answered(scene: Scene, key: str) -> bool:
    return key in scene.answers()


def recovered(deaths: Sequence[Death], asked: Asked) -> None:
    """Every scene's next desk found out what had happened: the sender, who had no answer, asked it again."""
    for first in range(0, len(deaths), AT_ONCE):
        group = deaths[first : first + AT_ONCE]
        pids = [each.scene.start(*(() if asked.key in each.scene.answers() else (asked,))) for each in group]
        for death, pid in zip(group, pids, strict=True):
            scene = death.scene
            scene.until(partial(answered, scene, asked.key))
            scene.clean()
            scene.kill(pid)


@pytest.mark.parametrize("venue", ["A", "B"])
def test_a_new_order_survives_a_kill_at_every_point(open_scene: Open, venue: str) -> None:
    """Rows 1 to 7: one intent, one order, one fill, whatever the moment."""
    asked = buy("alert-1")
    deaths = killed_everywhere(lambda: open_scene(venue), asked, POINTS, MOST_PASSAGES)
    assert {each.point for each in deaths} == set(POINTS)
    unsent = {each.point: each.requests for each in deaths if each.passage == 1}
    assert {unsent[point] for point in (*UNSENT, "send.before_first_byte")} == {0}
    assert unsent["send.answered"] == 1
    recovered(deaths, asked)
    for death in deaths:
        name = f"{death.point}:{death.passage}"
        assert death.scene.states() == ["FILLED NONE"], name
        assert len(death.scene.lines("accept")) == 1, name
        # Nobody asks twice for what the exchange has, and what never left leaves once.
        assert death.scene.requests() == 1, name


@pytest.mark.parametrize("venue", ["A", "B"])
def test_a_cancel_survives_a_kill_at_every_point(open_scene: Open, venue: str) -> None:
    """Rows 1 to 7 for a cancel: the resting order ends CANCELED, once."""

    def resting() -> Scene:
        scene = open_scene(venue)
        pid = scene.start(rest("alert-1"))
        scene.until(lambda: scene.states() == ["NEW NONE"])
        scene.kill(pid)
        return scene

    asked = cancel("alert-2")
    points = [point for point in POINTS if not point.startswith("migrate.")]
    reached_by_new_orders_only = {"send.after_commit"}
    deaths = killed_everywhere(resting, asked, points, 2)
    assert {each.point for each in deaths} == set(points) - reached_by_new_orders_only
    recovered(deaths, asked)
    for death in deaths:
        name = f"{death.point}:{death.passage}"
        assert death.scene.states() == ["CANCELED NONE"], name
        assert len(death.scene.lines("accept")) == len(death.scene.lines("cancel")) == 1, name


def test_recovery_survives_five_kills_in_a_row_at_each_of_its_points(open_scene: Open) -> None:
    """Row 8: the same order in doubt, and a desk that dies over and over while it finds out about it."""
    points = [point for point in POINTS if point.startswith("recover.")]
    scenes = []
    for point in points:
        scene = open_scene("A")
        pid = scene.start(buy("alert-1"), crash_at="send.answered")
        assert scene.dies(pid)
        for _ in range(5):
            pid = scene.start(crash_at=point)
            assert scene.dies(pid), scene.told()
        scenes.append(Death(scene, point, 5, scene.requests()))
    recovered(scenes, buy("alert-1"))
    for death in scenes:
        assert death.scene.states() == ["FILLED NONE"], death.point
        assert death.scene.requests() == 1, death.point


@pytest.mark.postgres
def test_a_new_order_survives_a_kill_at_every_point_on_postgresql(open_scene: Open) -> None:
    """Rows 1 to 7 once more where the truth lives in another process."""
    asked = buy("alert-1")
    deaths = killed_everywhere(lambda: open_scene("A", postgres=True), asked, POINTS, 1)
    assert {each.point for each in deaths} == set(POINTS)
    recovered(deaths, asked)
    for death in deaths:
        assert death.scene.states() == ["FILLED NONE"], death.point
        assert len(death.scene.lines("accept")) == death.scene.requests() == 1, death.point
