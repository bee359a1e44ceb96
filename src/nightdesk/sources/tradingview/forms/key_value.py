"""Any text of key=value pairs, with the field names of the simple family.

    symbol=BTCUSDT, side=buy, size=0.1, secret=not-a-real-one

Pairs may stand on lines, or between `;`, `,`, `&` or blanks, and `:` may stand for `=`.
"""

from nightdesk.sources.tradingview.asks import understand
from nightdesk.sources.tradingview.body import Body
from nightdesk.sources.tradingview.fields import Fields, name_of
from nightdesk.sources.tradingview.forms.simple import MARKS
from nightdesk.sources.tradingview.pairs import read_pairs
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings
from nightdesk.sources.tradingview.placeholders import check_placeholders


def recognise(body: Body) -> bool:
    """True when the text is made of pairs and one of them names a symbol, a side or a position."""
    pairs = read_pairs(body)
    return pairs is not None and any(name_of(key) in MARKS for key in pairs)


def normalise(body: Body, settings: ParseSettings, notes: tuple[str, ...]) -> Parsed:
    """The pairs under their usual names."""
    pairs = read_pairs(body) or {}
    return understand("key_value", Fields(pairs), settings, notes=notes + check_placeholders(pairs))
