"""Alerts for a desk that is being killed: each differs from every other, and the same seed gives the same ones."""

import json
import random
from dataclasses import dataclass
from decimal import Decimal

from nightdesk.market.simulated import start_price
from nightdesk.model.identifiers import Symbol

_LOTS = {"BTC-USD": Decimal("0.001"), "ETH-USD": Decimal("0.01"), "SOL-USD": Decimal("0.1")}
_KINDS = ("market",) * 10 + ("resting",) * 4 + ("near",) * 3 + ("cancel",) * 2 + ("close",)
_WITHOUT_ID = 0.25
_BOTH_VENUES = 0.15


@dataclass(frozen=True, slots=True)
class Asked:
    """One alert under the key its answer is logged with."""

    key: str
    body: str


def make_alert(rng: random.Random, key: str, venues: tuple[str, ...]) -> Asked:
    """An alert that is unlike any other: by its id, or, as from a sender that knows none, by its words alone."""
    symbol = rng.choice(tuple(_LOTS))
    kind = rng.choice(_KINDS)
    side = rng.choice(("buy", "sell"))
    fields: dict[str, object] = {"symbol": symbol, "side": kind if kind in ("cancel", "close") else side}
    fields["id" if rng.random() > _WITHOUT_ID else "comment"] = key
    if len(venues) > 1 and rng.random() > _BOTH_VENUES:
        fields["venues"] = [rng.choice(venues)]
    if kind not in ("cancel", "close"):
        fields["size"] = str(_LOTS[symbol] * rng.randint(1, 20))
    if kind in ("resting", "near"):
        away = Decimal(rng.randint(100, 250) if kind == "resting" else rng.randint(-5, 15)) / 10_000
        px = start_price(Symbol(symbol)) * (1 - away if side == "buy" else 1 + away)
        fields |= {"order_type": "limit", "price": str(px.quantize(Decimal("0.01")))}
    return Asked(key, json.dumps(fields))
