"""Placeholders that TradingView left unfilled: fatal in a field that is traded on, a note anywhere else."""

from nightdesk.sources.tradingview.body import Json
from nightdesk.sources.tradingview.fields import TRADABLE, name_of
from nightdesk.sources.tradingview.refusal import PLACEHOLDER, unfilled
from nightdesk.sources.wording import clip


def check_placeholders(fields: dict[str, Json]) -> tuple[str, ...]:
    """Notes on placeholders in free text; `Refused` naming field and placeholder for any other."""
    notes: list[str] = []
    _walk(fields, "", notes)
    return tuple(notes)


def _walk(value: Json, key: str, notes: list[str]) -> None:
    if isinstance(value, dict):
        for inner, item in value.items():
            _walk(item, inner, notes)
    elif isinstance(value, list):
        for item in value:
            _walk(item, key, notes)
    elif isinstance(value, str) and (found := PLACEHOLDER.search(value)):
        if name_of(key) in TRADABLE:
            raise unfilled(key[:64], found.group())
        notes.append(f"{clip(key)} still holds {found.group()}; it is not traded on.")
