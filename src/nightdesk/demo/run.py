"""`nightdesk demo`: a desk that shows itself, and leaves nothing behind unless it is told where to keep it."""

import asyncio
import os
import random
import shutil
import signal
import tempfile
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from nightdesk.app.desk import OpenDesk
from nightdesk.app.process import run_with, settings_of
from nightdesk.demo.alerts import alerts
from nightdesk.demo.play import play
from nightdesk.market.simulated import start_price
from nightdesk.model.identifiers import Symbol
from nightdesk.runtime.clock import SystemClock
from nightdesk.runtime.secrets import Tokens

PAUSE = 3.0
FIRST_AFTER = 2.0
REPLAY_SPEED = 60.0


def run_demo(*, data: Path | None, port: int | None, market: str | None, seconds: float | None) -> None:
    """The demo runs until it is told to stop, or for so many seconds."""
    kept = data is not None
    folder = data or Path(tempfile.mkdtemp(prefix="nightdesk-demo-"))
    settings = settings_of(data=folder, port=port, config=None, market=market)
    settings = replace(settings, market=replace(settings.market, loop=True))
    if settings.market.source not in ("simulated", "live") and settings.market.speed == 1.0:
        settings = replace(settings, market=replace(settings.market, speed=REPLAY_SPEED))

    async def beside(real_port: int, tokens: Tokens, opened: OpenDesk) -> None:
        clock = SystemClock()
        await clock.sleep(FIRST_AFTER)
        listed = [one for instruments in opened.instruments.values() for one in instruments]
        stream = alerts(random.SystemRandom().randrange(1 << 30), listed, price=_price_of(opened), pause=PAUSE)
        url = f"http://{settings.web.host}:{real_port}/api/webhook"
        await play(url, tokens.webhook.reveal(), clock, stream)

    async def limited(real_port: int, tokens: Tokens, opened: OpenDesk) -> None:
        playing = asyncio.ensure_future(beside(real_port, tokens, opened))
        try:
            await SystemClock().sleep(seconds or 0.0)
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            playing.cancel()

    try:
        run_with(settings, env=os.environ, beside=limited if seconds is not None else beside)
    finally:
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)


def _price_of(opened: OpenDesk) -> Callable[[Symbol], Decimal]:
    """The board's price where there is one, so that the demo's alerts stay near the market."""

    def price(symbol: Symbol) -> Decimal:
        quote = opened.desk.prices.quote(symbol)
        return quote.mid if quote is not None else start_price(symbol)

    return price
