"""A desk for each test, over each database."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nightdesk.runtime.database import Database
from tests.desk import Desk


@pytest.fixture
def make_desk(database: Database, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Desks over each database; the older counts as dead once a newer one is made."""
    yield from _maker(database, tmp_path)


@pytest.fixture
def make_fast(sqlite: Database, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """The same over SQLite alone, where the database is not what is tested."""
    yield from _maker(sqlite, tmp_path)


def _maker(database: Database, data: Path) -> Iterator[Callable[..., Desk]]:
    made: list[Desk] = []

    def make(**given: Any) -> Desk:
        if made:
            made.pop().close()
        made.append(Desk(database, data, **given))
        return made[-1]

    yield make
    for desk in made:
        desk.close()


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A desk with wide limits and one venue that takes everything."""
    return make_desk()


@pytest.fixture
def fast(make_fast: Callable[..., Desk]) -> Desk:
    """A desk over SQLite alone."""
    return make_fast()


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """For tests in which everything goes wrong on purpose."""
    caplog.set_level(logging.CRITICAL)
