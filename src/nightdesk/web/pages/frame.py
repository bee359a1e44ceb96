"""What surrounds every page."""

from starlette.requests import Request

from nightdesk.model.identifiers import Symbol
from nightdesk.web.desk import Desk


def frame(desk: Desk) -> dict[str, object]:
    """What the head of every page shows: paper or live, and whether prices are made up."""
    status = desk.status()
    return {
        "live": any(account.live for account in status.accounts),
        "simulated": status.market_simulated,
        "market": status.market,
        "halted": status.halted,
        "version": status.version,
    }


def example(desk: Desk) -> dict[str, str]:
    """A request that works here: a hook there is and a symbol that is listed."""
    symbols = desk.default_symbols or desk.prices.symbols() or (Symbol("BTC-USD"),)
    return {"hook": desk.hooks[0] if desk.hooks else "default", "symbol": symbols[0]}


def hook_address(desk: Desk, request: Request) -> str:
    """How a sender reaches the webhook, as far as is known here; the token is not in it."""
    base = desk.config.public_url or f"{request.url.scheme}://{request.headers.get('host', 'localhost')}"
    return f"{base.rstrip('/')}/api/webhook"
