"""OctoBot: KEY=VALUE on lines or between `;`.

    SYMBOL=BTCUSDT;SIGNAL=BUY;ORDER_TYPE=LIMIT;PRICE=60000;VOLUME=2%;REDUCE_ONLY=false;TOKEN=not-a-real-one

SIGNAL says buy, sell or cancel; VOLUME is the size, plain in base units, `%` of equity, `q` in quote currency.
Prices as distances (`10d`, `-5%`) are refused, EXCHANGE is passed over, TAG is the comment.
"""

from nightdesk.sources.tradingview.asks import understand
from nightdesk.sources.tradingview.body import Body
from nightdesk.sources.tradingview.fields import Fields
from nightdesk.sources.tradingview.pairs import read_pairs
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings
from nightdesk.sources.tradingview.placeholders import check_placeholders


def recognise(body: Body) -> bool:
    """True when SYMBOL and SIGNAL are among the pairs, in capitals as OctoBot writes them."""
    pairs = read_pairs(body)
    return pairs is not None and "SIGNAL" in pairs and "SYMBOL" in pairs


def normalise(body: Body, settings: ParseSettings, notes: tuple[str, ...]) -> Parsed:
    """VOLUME becomes the size; everything else has its usual name."""
    pairs = read_pairs(body) or {}
    fields = Fields(pairs)
    volume = pairs.get("VOLUME")
    if isinstance(volume, str) and volume.endswith("q"):
        fields.put("quote_size", "VOLUME", volume[:-1])
    else:
        fields.put("size", "VOLUME", volume)
    return understand("octobot", fields, settings, notes=notes + check_placeholders(pairs))
