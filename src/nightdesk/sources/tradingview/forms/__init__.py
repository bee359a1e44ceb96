"""One module per family of messages: `recognise(body)` and `normalise(body, settings, notes)`.

The order of recognition, the most telling marks first. JSON: native (only our own field names), the 3Commas DCA bot
(`email_token` and `bot_id`), 3Commas (`bot_uuid`, `tv_instrument`), OKX (`signalToken`), the stub form (`stub`), the
forwarder (`data` with dashed names), robswc (`key` of the form name:six hex digits), tv-hub (`isBuy`, `unitsType`),
TradersPost (`sentiment`, `quantityType`, nested stops), and last the simple family: any symbol, side or position.
Text: the hook's own codes, Alertatron (`keys(symbol) {`), PineConnector (licence, command, symbol), plain CSV
(symbol, side), OctoBot (SYMBOL and SIGNAL), and last any key=value text.
"""

from collections.abc import Callable
from typing import NamedTuple

from nightdesk.sources.tradingview.body import Body
from nightdesk.sources.tradingview.forms import (
    alertatron,
    csv_line,
    forwarder,
    key_value,
    octobot,
    okx,
    pineconnector,
    robswc,
    simple,
    stub,
    three_commas,
    three_commas_dca,
    traderspost,
    tv_hub,
)
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings


class Form(NamedTuple):
    """One family of messages."""

    recognise: Callable[[Body], bool]
    normalise: Callable[[Body, ParseSettings, tuple[str, ...]], Parsed]


JSON_FORMS = (
    Form(three_commas_dca.recognise, three_commas_dca.normalise),
    Form(three_commas.recognise, three_commas.normalise),
    Form(okx.recognise, okx.normalise),
    Form(stub.recognise, stub.normalise),
    Form(forwarder.recognise, forwarder.normalise),
    Form(robswc.recognise, robswc.normalise),
    Form(tv_hub.recognise, tv_hub.normalise),
    Form(traderspost.recognise, traderspost.normalise),
    Form(simple.recognise, simple.normalise),
)

TEXT_FORMS = (
    Form(alertatron.recognise, alertatron.normalise),
    Form(pineconnector.recognise, pineconnector.normalise),
    Form(csv_line.recognise, csv_line.normalise),
    Form(octobot.recognise, octobot.normalise),
    Form(key_value.recognise, key_value.normalise),
)
