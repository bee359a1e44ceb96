"""Senders whose messages are codes: the hook says what each one means.

    ENTER-LONG_BINANCE_BTCUSDT_bot-7_1a2b3c

The whole text has to be in the hook's table; a code that is not is an unknown message.
"""

from nightdesk.sources.tradingview.body import Body
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings


def normalise(body: Body, settings: ParseSettings, notes: tuple[str, ...]) -> Parsed:
    """The ask the hook's table has for the code."""
    return Parsed(form="opaque", asks=(settings.opaque_codes[body.text],), notes=notes)
