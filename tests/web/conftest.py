"""A desk over an empty database, and a browser and a sender that talk to it without a network."""

from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest

from nightdesk.runtime.database import Database
from nightdesk.web.desk import Desk
from nightdesk.web.server import build_app
from tests.web.desks import OPERATOR_TOKEN, Calls, make_desk
from tests.web.world import World

ADDRESS = "http://desk.test"


@pytest.fixture
def world(sqlite: Database) -> World:
    """An empty database with one account."""
    world = World(sqlite)
    world.account()
    return world


@pytest.fixture
def offered(world: World) -> Iterator[tuple[Desk, Calls]]:
    """The desk, and what is asked of it."""
    desk, calls = make_desk(world)
    yield desk, calls
    desk.reader.close()


@pytest.fixture
def desk(offered: tuple[Desk, Calls]) -> Desk:
    return offered[0]


@pytest.fixture
def calls(offered: tuple[Desk, Calls]) -> Calls:
    return offered[1]


@pytest.fixture
async def anybody(desk: Desk) -> AsyncIterator[httpx2.AsyncClient]:
    """Somebody without a token."""
    transport = httpx2.ASGITransport(build_app(desk), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=ADDRESS) as client:
        yield client


@pytest.fixture
async def operator(anybody: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """The operator, by token."""
    anybody.headers["authorization"] = f"Bearer {OPERATOR_TOKEN}"
    return anybody
