"""Words for a field that cannot be traded."""

import re

from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.sources.wording import clip

SIMPLEST = '{"symbol": "BTC-USD", "side": "buy", "size": "0.1"}'
"""The smallest body that works, quoted to whoever sent one that does not."""

PLACEHOLDER = re.compile(r"\{\{[^{}]{0,80}\}\}|\{\{")


def wrong(field: str, value: object, expected: str) -> Refused:
    """The refusal of one value: PLACEHOLDER_UNFILLED when a placeholder was left in it, else FIELD_INVALID."""
    if isinstance(value, str) and (found := PLACEHOLDER.search(value)):
        return unfilled(field, found.group())
    return Refused(DenyCode.FIELD_INVALID, f"{field} is {clip(value)}; expected {expected}.", field=field)


def unfilled(field: str, placeholder: str) -> Refused:
    """The refusal of a placeholder that TradingView left as it was."""
    return Refused(
        DenyCode.PLACEHOLDER_UNFILLED,
        f"{field} still holds the placeholder {placeholder}, which this kind of alert does not fill. "
        "Placeholders that start with strategy. need an alert on a strategy.",
        field=field,
    )


def missing(field: str, why: str) -> Refused:
    """The refusal of a body that lacks a field."""
    return Refused(DenyCode.FIELD_MISSING, f"{field} is missing: {why}.", field=field)


def empty(field: str) -> Refused:
    """The refusal of a field that is there and holds nothing, as unfilled strategy placeholders do."""
    return Refused(
        DenyCode.FIELD_MISSING,
        f"{field} is empty. A placeholder that starts with strategy. is filled only by an alert on a strategy.",
        field=field,
    )


def not_done(field: str, text: str) -> Refused:
    """The refusal of a wish this desk cannot grant."""
    return Refused(DenyCode.NOT_SUPPORTED, text, field=field)
