"""Serves the pages over made-up data, to look at them: `python -m tests.web.show [busy|quiet|empty|halted] [port]`."""

import asyncio
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from nightdesk.model.denial import Denied, DenyCode
from nightdesk.model.enums import OrdType, Side, SignalOutcome, TimeInForce, TradingState
from nightdesk.model.identifiers import AccountId, HookId, Sleeve, Symbol, VenueId
from nightdesk.model.signal import Aim, Ask, Size
from nightdesk.runtime.database import Database
from nightdesk.runtime.migrate import ensure_schema
from nightdesk.web.config import WebConfig
from nightdesk.web.desk import Desk
from nightdesk.web.server import build_app, serve
from tests.web.desks import OPERATOR_TOKEN, Board, Calls, account_status, make_desk
from tests.web.world import World


class SignedIn:
    """Gives every request the operator's token, so that pages can be photographed without a login."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] != "/login":
            scope["headers"] = [*scope["headers"], (b"authorization", f"Bearer {OPERATOR_TOKEN}".encode())]
        await self.app(scope, receive, send)


async def move(desk: Desk, calls: Calls) -> None:
    """Prices rise by a thousandth twice a second."""
    board = desk.prices
    assert isinstance(board, Board)
    while True:
        await asyncio.sleep(0.5)
        board.mids = {name: mid * Decimal("1.001") for name, mid in board.mids.items()}
        board.at = desk.clock.now()
        calls.changes.publish(["prices"])


def fill(world: World) -> None:
    """One of everything that can happen."""
    at = world.now
    for name in ("paper", "north", "south"):
        world.account(name, name)
    sell = (Ask(aim=Aim.TRADE, symbol="ETHUSD", side=Side.SELL, size=Size(value=Decimal("12"))),)

    world.now = at - timedelta(minutes=30)
    quiet = world.signal(hook=HookId("mean"), sleeve=Sleeve("mean"), asks=())
    world.record(quiet, SignalOutcome.NO_ACTION, text="the position is, or is on its way to, 0.5 already")
    world.now = at - timedelta(minutes=20)
    three = world.signal()
    legs = [
        world.order(three, i, account_id=AccountId(name), venue=VenueId(name))
        for i, name in enumerate(("paper", "north", "south"))
    ]
    world.accepted(three, *legs)
    for leg in legs:
        world.filled(leg, px="63850.5")
    world.now = at - timedelta(minutes=12)
    eth = world.signal(asks=sell)
    short = world.order(eth, symbol=Symbol("SOL-USD"), side=Side.SELL, order_qty=Decimal(12), sleeve=Sleeve("breakout"))
    world.accepted(eth, short)
    world.filled(short, px="171.20", fee="0.4")
    world.now = at - timedelta(minutes=6)
    limit = world.signal(source="person", hook=HookId("person"), sleeve=Sleeve("person"), fired_at=None, body="")
    resting = world.order(
        limit, ord_type=OrdType.LIMIT, price=Decimal("61000"), time_in_force=TimeInForce.GTC, sleeve=Sleeve("person")
    )
    world.accepted(limit, resting)
    world.sent(resting)
    world.now = at - timedelta(minutes=4)
    lost = world.signal()
    doubt = world.order(lost, account_id=AccountId("north"), venue=VenueId("north"), order_qty=Decimal("0.47"))
    world.accepted(lost, doubt)
    world.unanswered(doubt)
    world.now = at - timedelta(minutes=3)
    denied = world.signal(asks=sell)
    text = "price collar: the signal's price is 6.41 % from the market, the limit is 5 %. Use a price nearer to it."
    code = DenyCode.PRICE_COLLAR
    refusal = Denied(code=code, text=text, field="price", limit="5 %", value="6.41 %")
    world.denied(denied, world.order(denied, side=Side.SELL, symbol=Symbol("ETH-USD"), order_qty=Decimal(12)), refusal)
    world.now = at - timedelta(minutes=2)
    text = "symbol is 'BTCUSX'; no enabled venue lists it. Near: BTC-USD."
    unknown = Denied(code=DenyCode.UNKNOWN_SYMBOL, text=text, field="symbol")
    world.record(world.signal(asks=()), SignalOutcome.REFUSED, denied=unknown)
    world.now = at - timedelta(seconds=90)
    again = Denied(code=DenyCode.DUPLICATE_SIGNAL, text=f"the same signal was taken as {three.signal_id}")
    world.record(world.signal(), SignalOutcome.DUPLICATE, denied=again, first=three.signal_id)
    world.now = at - timedelta(seconds=42)
    hold = world.signal(hook=HookId("swing"), sleeve=Sleeve("swing"))
    held = world.order(hold, order_qty=Decimal("0.25"), deadline_at=at + timedelta(hours=1))
    world.accepted(hold, held)
    world.held(held)
    world.now = at


async def main(kind: str, port: int) -> None:
    """Serves until interrupted."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(Path(folder) / "desk.db")
        now = datetime.now(UTC)
        ensure_schema(database, backups=None, now=now)
        world = World(database, now=now)
        if kind in ("busy", "halted"):
            fill(world)
        elif kind == "quiet":
            world.account()
            order = world.order(signal := world.signal(received_at=now - timedelta(minutes=2)))
            world.accepted(signal, order)
            world.filled(order, px="63900")
        else:
            world.account()
        desk, calls = make_desk(world, config=WebConfig(port=port))
        if kind == "halted":
            await calls.halt("ETH is moving without news", "operator (page)")
        if kind in ("busy", "halted"):
            calls.accounts = (
                account_status(),
                account_status(account_id=AccountId("north"), venue=VenueId("north"), last_answer_ms=63.0, waiting=1),
                account_status(
                    account_id=AccountId("south"),
                    venue=VenueId("south"),
                    state=TradingState.REDUCING,
                    state_reason="south holds 0.6 BTC-USD, the desk knows of 0.5",
                ),
            )
        print(f"http://127.0.0.1:{port}/  token {OPERATOR_TOKEN}", flush=True)
        app = build_app(desk)
        moving = asyncio.create_task(move(desk, calls))
        app.add_middleware(SignedIn)
        try:
            await serve(app, desk.config, lambda bound: None)
        finally:
            moving.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "busy", int(sys.argv[2]) if len(sys.argv) > 2 else 8999))
