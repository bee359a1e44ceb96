"""The exchanges and the parent of all desks, started once for each test process."""

import contextlib
import itertools
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.path.scene import Exchange, Scene
from tests.path.schemas import schema_of_its_own
from tests.path.victim import PAPER, ExchangePlan, url_of
from tests.path.zygote import Zygote

POSTGRES = os.environ.get("NIGHTDESK_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
_NUMBERS = itertools.count(1)

Open = Callable[..., Scene]


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """The parent of all processes of these tests."""
    zygote = Zygote(tmp_path_factory.mktemp("zygote"))
    yield zygote
    zygote.close()


@pytest.fixture(scope="session")
def exchanges(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Exchange]]:
    """An exchange of class A and one of class B, for all scenes of this test process."""
    running = {}
    for name, unique in (("A", True), ("B", False)):
        folder = tmp_path_factory.mktemp(f"exchange{name}")
        paper = {**PAPER, "unique_ids": str(unique).lower()}
        pid = zygote.exchange(ExchangePlan(folder=str(folder), paper=paper, seed=7, lives=900))
        running[name] = Exchange(url=url_of(folder), folder=folder, pid=pid, unique=unique)
    yield running
    for each in running.values():
        os.kill(each.pid, signal.SIGTERM)
        zygote.ended(each.pid, 5.0)


@pytest.fixture
def open_scene(zygote: Zygote, exchanges: dict[str, Exchange], tmp_path: Path) -> Iterator[Open]:
    """Opens scenes; every process of theirs is gone at the end, and every schema after them."""
    with contextlib.ExitStack() as stack:

        def open_one(venue: str = "A", *, accounts: int = 1, postgres: bool = False, **settings: str) -> Scene:
            number = next(_NUMBERS)
            database = stack.enter_context(_schema(number)) if postgres else ""
            scene = Scene(
                zygote=zygote,
                exchange=exchanges[venue],
                folder=tmp_path / f"scene{number}",
                accounts=tuple(f"s{number}n{n}" for n in range(accounts)),
                database_url=database,
                settings={key.replace("__", "."): value for key, value in settings.items()},
            )
            scene.folder.mkdir()
            stack.callback(scene.close)
            return scene

        yield open_one


def _schema(number: int) -> contextlib.AbstractContextManager[str]:
    """A schema of one's own; without a server the test is skipped and says what did not run."""
    try:
        psycopg.connect(POSTGRES, connect_timeout=3).close()
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL at {POSTGRES.rpartition('@')[2]} (NIGHTDESK_TEST_POSTGRES): {error}")
    return schema_of_its_own(POSTGRES, f"path_{os.getpid()}_{number}")
