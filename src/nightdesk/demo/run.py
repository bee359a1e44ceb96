"""`nightdesk demo`: a desk that shows itself, and leaves nothing behind unless it is told where to keep it."""

import asyncio
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from nightdesk.app.desk import OpenDesk
from nightdesk.app.order_path import OrderPath
from nightdesk.app.process import run_with, settings_of, signals
from nightdesk.demo.alerts import alerts
from nightdesk.demo.play import Delivery, play
from nightdesk.market.simulated import start_price
from nightdesk.model.identifiers import Symbol, VenueId
from nightdesk.runtime.clock import SystemClock
from nightdesk.runtime.secrets import Tokens
from nightdesk.settings import Settings

PAUSE = 3.0
FIRST_AFTER = 2.0
REPLAY_SPEED = 60.0


def run_demo(*, data: Path | None, port: int | None, market: str | None, seconds: float | None) -> None:
    """The demo runs until it is told to stop, or for so many seconds."""
    with signals(signal.default_int_handler):
        folder = data or Path(tempfile.mkdtemp(prefix="nightdesk-demo-"))
        told: Counter[str] = Counter()
        try:
            _run(_settings(folder, port, market), told, seconds=seconds, kept=data is not None)
        finally:
            if data is None:
                shutil.rmtree(folder, ignore_errors=True)
    _say(_farewell(told, data))


def _settings(data: Path, port: int | None, market: str | None) -> Settings:
    settings = settings_of(data=data, port=port, config=None, market=market)
    settings = replace(settings, market=replace(settings.market, loop=True))
    if settings.market.source not in ("simulated", "live") and settings.market.speed == 1.0:
        settings = replace(settings, market=replace(settings.market, speed=REPLAY_SPEED))
    return settings


def _run(settings: Settings, told: Counter[str], *, seconds: float | None, kept: bool) -> None:
    clock = SystemClock()

    def count(delivery: Delivery) -> None:
        status = delivery.status or 0
        told["taken" if 200 <= status < 300 else "refused" if 400 <= status < 500 else "unanswered"] += 1

    async def beside(port: int, tokens: Tokens, opened: OpenDesk) -> None:
        await clock.sleep(FIRST_AFTER)
        listed = [one for instruments in opened.instruments.values() for one in instruments]
        stream = alerts(random.SystemRandom().randrange(1 << 30), listed, price=_price_of(opened), pause=PAUSE)
        url = f"http://{settings.web.host}:{port}/api/webhook"
        await play(url, tokens.webhook.reveal(), clock, stream, delivered=count)

    async def limited(port: int, tokens: Tokens, opened: OpenDesk) -> None:
        playing = asyncio.ensure_future(beside(port, tokens, opened))
        try:
            await clock.sleep(seconds or 0.0)
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            playing.cancel()

    def announce(core: OrderPath, tokens: Tokens, port: int) -> None:
        _say(_welcome(core, tokens, port, kept=kept))

    run_with(
        settings,
        env=os.environ,
        beside=limited if seconds is not None else beside,
        announce=announce,
        quiet=True,
    )


def _welcome(core: OrderPath, tokens: Tokens, port: int, *, kept: bool) -> list[str]:
    """Where the page is, what opens it, what will be seen there, and how to take part."""
    address = f"http://{core.settings.web.host}:{port}"
    place = core.data / "tokens.json"
    key = tokens.operator.reveal() if tokens.created else f"the operator token of {place} or your environment"
    hook = tokens.webhook.reveal() if tokens.created else "YOUR-WEBHOOK-TOKEN"
    symbol, size = _example(core)
    lines = [
        f"The demo desk runs: {address}",
        f"  sign in with  {key}",
        f"  market        {core.feed.describe()}",
        f"  orders        go to the paper venue alone, about one alert every {PAUSE:g} s; some are refused on purpose",
        "  look at       Now, then Signals: each alert, taken or not, leads to its story",
        "",
        "Send an alert of your own:",
        f"  curl -X POST {address}/api/webhook/{hook} \\",
        f'       -d \'{{"symbol": "{symbol}", "side": "buy", "size": "{size}"}}\'',
        "",
        f"Ctrl-C stops it. {f'It is kept in {core.data.resolve()}.' if kept else 'Nothing is kept.'}",
    ]
    if core.halt.state.halted:
        lines.insert(1, f"  HALTED        {core.halt.state.reason}; `nightdesk resume` begins the way back")
    return lines


def _example(core: OrderPath) -> tuple[str, str]:
    """A symbol of this market, and a quantity of it that no limit minds."""
    one = core.feed.instruments(VenueId("paper"))[0]
    quote = core.board.quote(one.symbol)
    price = quote.mid if quote is not None else start_price(one.symbol)
    return one.symbol, f"{max(one.min_qty, one.round_qty(Decimal(500) / price)).normalize():f}"


def _farewell(told: Counter[str], data: Path | None) -> list[str]:
    taken, refused, lost = told["taken"], told["refused"], told["unanswered"]
    sent = taken + refused + lost
    counted = f"{sent} alert{'' if sent == 1 else 's'} sent: {taken} taken, {refused} refused with a reason"
    if lost:
        counted += f", {lost} without an answer"
    where = f"nightdesk run --data {data} goes on from here." if data is not None else "Nothing was kept."
    return [f"The demo has ended. {counted}. {where}"]


def _say(lines: list[str]) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _price_of(opened: OpenDesk) -> Callable[[Symbol], Decimal]:
    """The board's price where there is one, so that the demo's alerts stay near the market."""

    def price(symbol: Symbol) -> Decimal:
        quote = opened.desk.prices.quote(symbol)
        return quote.mid if quote is not None else start_price(symbol)

    return price
