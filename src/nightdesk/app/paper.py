"""`nightdesk paper`: the paper exchange as a process of its own, with its own market."""

import sys
from pathlib import Path

from nightdesk.market.board import PriceBoard
from nightdesk.market.feed import open_feed
from nightdesk.model.identifiers import VenueId
from nightdesk.runtime.clock import SystemClock
from nightdesk.runtime.secrets import prepare_data_dir
from nightdesk.settings import load
from nightdesk.venues.paper.config import PaperConfig


def run_paper(*, data: Path, port: int, market: str | None, loss: float, seed: int) -> None:
    """The exchange answers until SIGTERM or SIGINT."""
    from nightdesk.venues.paper.server import serve

    settings = load(overrides={"market.source": market} if market is not None else {})
    prepare_data_dir(data)
    clock, board = SystemClock(), PriceBoard()
    feed = open_feed(settings.market.source, settings.market)

    def ready(url: str) -> None:
        sys.stdout.write(f"The paper exchange answers at {url}\n  market   {feed.describe()}\n  ledger   {data}\n")
        sys.stdout.flush()

    serve(
        data=data,
        port=port,
        prices=board,
        clock=clock,
        instruments=feed.instruments(VenueId("paper")),
        config=PaperConfig(),
        loss=loss,
        seed=seed,
        feed=lambda: feed.run(board, clock),
        ready=ready,
    )
