"""Desks that several tests of a module share: starting one takes a second and a half."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.desks import Desk, desk

TABLE = """
[venues.paper]
[venues.second]
kind = "paper"
[venues.hand]
kind = "manual"

[hooks.default]
venues = ["paper"]
max_qty = 5
[hooks.own]
venues = ["paper"]
[hooks.pair]
venues = ["paper", "second"]
[hooks.held]
venues = ["paper"]
hold = true
[hooks.by_hand]
venues = ["hand"]
[hooks.brief]
venues = ["paper"]
window_seconds = 1
[hooks.off]
enabled = false
[hooks.trial]
venues = ["paper"]
test = true
[hooks.late]
max_lag = 60
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk with two paper venues, one that a person carries out, and a hook for each way to use them."""
    with desk(Path(tmp_path_factory.mktemp("many")), TABLE) as one:
        yield one
