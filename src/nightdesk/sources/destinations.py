"""Where orders can go: the accounts of the enabled venues and what each lists."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.model.identifiers import AccountId, Symbol, VenueId
from nightdesk.model.instrument import Instrument
from nightdesk.model.venue import Capabilities
from nightdesk.orders.intent import Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One account of one enabled venue, and everything it can trade."""

    account_id: AccountId
    venue: VenueId
    capabilities: Capabilities
    instruments: tuple[Instrument, ...]


class Destinations:
    """The accounts one hook, or a person, may reach, by symbol; made once, read for every signal."""

    def __init__(self, listings: Iterable[Listing], *, only: Collection[str] = (), test: bool = False) -> None:
        self._by_symbol: dict[Symbol, tuple[Destination, ...]] = {}
        self._narrowed: dict[tuple[Symbol, tuple[str, ...]], tuple[Destination, ...]] = {}
        names = set()
        for listing in listings:
            # A test never leaves for a venue where real money moves.
            if (only and listing.venue not in only) or (test and listing.capabilities.live):
                continue
            names.add(listing.venue)
            for instrument in listing.instruments:
                destination = Destination(
                    account_id=listing.account_id,
                    venue=listing.venue,
                    instrument=instrument,
                    capabilities=listing.capabilities,
                    test=test,
                )
                self._by_symbol[instrument.symbol] = (*self._by_symbol.get(instrument.symbol, ()), destination)
        self.venues: tuple[VenueId, ...] = tuple(sorted(names))

    @property
    def symbols(self) -> Collection[Symbol]:
        """Everything that is listed anywhere here."""
        return self._by_symbol.keys()

    def of(self, symbol: Symbol, asked: tuple[str, ...]) -> tuple[Destination, ...]:
        """The accounts that list the symbol, narrowed to the venues asked for.

        Raises Refused UNKNOWN_VENUE for a venue that is not enabled, UNKNOWN_SYMBOL where none of those asked lists it.
        """
        if not asked:
            return self._by_symbol[symbol]
        key = (symbol, asked)
        found = self._narrowed.get(key)
        if found is None:
            for name in asked:
                if name not in self.venues:
                    text = f"the venue {name[:40]} is not enabled here; enabled: {', '.join(self.venues) or 'none'}"
                    raise Refused(DenyCode.UNKNOWN_VENUE, text, field="venues")
            found = tuple(one for one in self._by_symbol[symbol] if one.venue in asked)
            if not found:
                text = f"{', '.join(asked)} does not list {symbol}"
                raise Refused(DenyCode.UNKNOWN_SYMBOL, text, field="symbol")
            if len(self._narrowed) < 1000:
                self._narrowed[key] = found
        return found
