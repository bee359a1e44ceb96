"""The concrete venues, each loaded when it is configured and not before."""

from collections.abc import Callable
from pathlib import Path

from nightdesk.market.feed import Feed
from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.model.execution import ExecutionReport
from nightdesk.model.identifiers import AccountId, VenueId
from nightdesk.model.market import Prices
from nightdesk.model.order import Order
from nightdesk.model.venue import Venue
from nightdesk.orders.controls import PersonAnswer
from nightdesk.runtime.clock import Clock
from nightdesk.settings import Settings, VenueConfig


def open_venues(
    settings: Settings, data: Path, clock: Clock, prices: Prices, feed: Feed, closers: list[Callable[[], None]]
) -> dict[AccountId, Venue]:
    """Every enabled venue, by its account; `closers` gains what must be called when the desk ends."""
    venues: dict[AccountId, Venue] = {}
    for name, config in settings.venues.items():
        if config.enabled:
            venues[AccountId(config.account)] = _open_venue(name, config, data, clock, prices, feed, closers)
    return venues


def _open_venue(
    name: str,
    config: VenueConfig,
    data: Path,
    clock: Clock,
    prices: Prices,
    feed: Feed,
    closers: list[Callable[[], None]],
) -> Venue:
    if config.paper is None:
        from nightdesk.venues.manual import ManualVenue

        return ManualVenue(name, clock=clock, instruments=feed.instruments(VenueId(name)), live=False)
    if config.paper.url:
        from nightdesk.venues.paper.remote import PaperRemote

        return PaperRemote(config.paper, AccountId(config.account), clock=clock)
    from nightdesk.venues.paper.adapter import PaperVenue
    from nightdesk.venues.paper.exchange import PaperExchange
    from nightdesk.venues.paper.ledger import NAME, Ledger

    folder = data / f"paper-{name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    exchange = PaperExchange(
        prices=prices,
        clock=clock,
        instruments=feed.instruments(VenueId(name)),
        config=config.paper,
        ledger=Ledger(folder / NAME),
    )
    closers.append(exchange.close)
    return PaperVenue(exchange, AccountId(config.account), clock=clock)


def answer_by_hand(venue: Venue, order: Order, given: PersonAnswer) -> ExecutionReport:
    """What a person says became of the order, as the venue's report.

    Raises Refused where a machine carries it out.
    """
    from nightdesk.venues.manual import Answer, ManualVenue, Verdict

    if not isinstance(venue, ManualVenue):
        text = f"{venue.venue} answers for itself; only orders carried out by hand take an answer"
        raise Refused(DenyCode.NOT_SUPPORTED, text, field="action")
    answer = Answer(
        answer_id=given.answer_id,
        verdict=Verdict(given.verdict.upper()),
        qty=given.qty,
        px=given.px,
        text=given.text,
    )
    return venue.answer(order, answer)
