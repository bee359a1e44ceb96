"""Messages to copy into the Message box of a TradingView alert; the webhook's address carries the token."""

from typing import NamedTuple


class Message(NamedTuple):
    """One text to copy, and where it belongs."""

    title: str
    use: str
    text: str


STRATEGY = Message(
    "Strategy: each order",
    "An alert on a strategy. Every order the strategy fills is traded with its own quantity.",
    """{
  "symbol": "{{exchange}}:{{ticker}}",
  "side": "{{strategy.order.action}}",
  "size": "{{strategy.order.contracts}}",
  "signal_price": "{{strategy.order.price}}",
  "alert_id": "{{ticker}}-{{timenow}}-{{strategy.order.id}}",
  "timenow": "{{timenow}}",
  "comment": "{{strategy.order.comment}}"
}""",
)

POSITION = Message(
    "Strategy: its position",
    "An alert on a strategy, at a hook that follows positions. Lost, late or repeated alerts do no harm.",
    """{
  "symbol": "{{exchange}}:{{ticker}}",
  "market_position": "{{strategy.market_position}}",
  "market_position_size": "{{strategy.market_position_size}}",
  "signal_price": "{{strategy.order.price}}",
  "alert_id": "{{ticker}}-{{timenow}}-{{strategy.order.id}}",
  "timenow": "{{timenow}}"
}""",
)

INDICATOR = Message(
    "Indicator or price alert",
    "Any other alert. Write the side yourself: buy, sell, close or cancel. Leave size out to use the hook's own rule.",
    """{
  "symbol": "{{exchange}}:{{ticker}}",
  "side": "buy",
  "size": "0.1",
  "signal_price": "{{close}}",
  "alert_id": "{{ticker}}-{{timenow}}-buy",
  "timenow": "{{timenow}}"
}""",
)

HEARTBEAT = Message(
    "Heartbeat",
    "An alert on any hourly chart, once per bar close. It trades nothing; the desk warns when it stays away.",
    """{
  "symbol": "{{exchange}}:{{ticker}}",
  "heartbeat": true,
  "timenow": "{{timenow}}"
}""",
)

KEY_VALUE = Message(
    "Plain text",
    "The same as the indicator alert, for messages that are easier to write without quotes.",
    "symbol={{exchange}}:{{ticker}}; side=buy; size=0.1; alert_id={{ticker}}-{{timenow}}-buy; timenow={{timenow}}",
)

MESSAGES = (STRATEGY, POSITION, INDICATOR, HEARTBEAT, KEY_VALUE)
