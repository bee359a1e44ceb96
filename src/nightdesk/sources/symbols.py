"""A sender's ticker as one of our symbols: by the hook's own mapping, by name, or refused with the nearest names."""

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.model.identifiers import Symbol
from nightdesk.sources.wording import clip

DOLLARS = ("USD", "USDT", "USDC")
"""Quotes that may stand for each other when nothing else matches and only one of them is listed."""

_FIAT = frozenset({*DOLLARS, "BUSD", "FDUSD", "TUSD", "DAI", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "TRY", "BRL"})
_QUOTES = (*sorted(_FIAT, key=len, reverse=True), "BTC", "ETH", "BNB", "SOL")
_EXCHANGE = re.compile(r"[A-Z0-9_]{1,32}:(?=.)")
_SETTLEMENT = re.compile(r"([A-Z0-9]{1,20}/[A-Z0-9]{1,10}):[A-Z0-9]{2,10}")
_PERPETUAL = re.compile(r"(?:\.P|[-_]?PERP|[-_]SWAP)\Z")
_PARTS = re.compile(r"[/_-]")
_NAMES = {"XBT": "BTC"}
_MOST = 64
_SHORTEST = 2


class Candidates(NamedTuple):
    """Our possible names of a ticker: as it stands, as base and quote, and with another dollar as the quote."""

    names: tuple[str, ...]
    pairs: tuple[str, ...]
    aliases: tuple[str, ...]


class Match(NamedTuple):
    """The symbol found, and what people should know about how."""

    symbol: Symbol
    note: str | None = None


def split_ticker(ticker: str) -> Candidates:
    """The names a ticker may have here: `BINANCE:BTCUSDT.P` is BTC-USDT, and BTC-USD or BTC-USDC by alias.

    A continuous future (`ES1!`) stays as it is: what it stands for is for the hook's mapping to say, since its root
    may well be a share's name.
    """
    name = _bare(ticker)
    plain = _PERPETUAL.sub("", name)
    parts = [_NAMES.get(part, part) for part in _PARTS.split(plain) if part]
    if len(parts) == 1:
        found = _cuts(parts[0])
    else:
        found = _ordered(parts[0], parts[1], "_" in plain) if len(parts) == 2 else []
    pairs = [f"{base}-{quote}" for base, quote in found]
    bases = [base for base, quote in found if quote in DOLLARS]
    if len(parts) == 1 and not found and plain != name:
        bases = parts
    aliases = [alias for base in bases for dollar in DOLLARS if (alias := f"{base}-{dollar}") not in pairs]
    return Candidates(tuple(dict.fromkeys((name, plain))), tuple(pairs), tuple(dict.fromkeys(aliases)))


def match(ticker: str, listed: Collection[str], mapping: Mapping[str, str]) -> Match:
    """The listed symbol a ticker means; `Refused` UNKNOWN_SYMBOL with the nearest names when none is certain."""
    for spelling in (ticker, ticker.strip().upper(), _bare(ticker)):
        if (mapped := mapping.get(spelling)) is not None:
            if mapped in listed:
                return Match(Symbol(mapped))
            raise _unknown(ticker, f"is mapped to {clip(mapped)}, which no enabled venue lists", [mapped], listed)
    candidates = split_ticker(ticker)
    for name in (ticker, *candidates.names):
        if name in listed:
            return Match(Symbol(name))
    for names, note in ((candidates.pairs, None), (candidates.aliases, "is not listed; {} was taken for it.")):
        found = [name for name in names if name in listed]
        if len(found) > 1:
            raise _unknown(ticker, f"may mean {' or '.join(found)}", names, listed)
        if found:
            return Match(Symbol(found[0]), note and f"{clip(ticker)} {note.format(found[0])}")
    raise _unknown(ticker, "is listed by no enabled venue", (*candidates.names, *candidates.pairs), listed)


def _bare(ticker: str) -> str:
    """The ticker in capitals without its exchange and its settlement currency."""
    name = ticker[:_MOST].strip().upper()
    if settled := _SETTLEMENT.fullmatch(name):
        return settled.group(1)
    return _EXCHANGE.sub("", name, count=1) if _EXCHANGE.match(name) else name


def _cuts(name: str) -> list[tuple[str, str]]:
    """Base and quote of a name written in one, for every quote it may end with: DOTUSD is DOT in USD or DO in TUSD."""
    return [
        (_NAMES.get(base, base), quote)
        for quote in _QUOTES
        if (base := name.removesuffix(quote)) != name and len(base) >= _SHORTEST
    ]


def _ordered(first: str, second: str, underscore: bool) -> list[tuple[str, str]]:
    """Base and quote; with an underscore the quote may come first, surely so when only the first one is a currency."""
    if not underscore or (second in _FIAT and first not in _FIAT):
        return [(first, second)]
    if first in _FIAT and second not in _FIAT:
        return [(second, first)]
    return [(first, second), (second, first)]


def _unknown(ticker: str, what: str, names: Collection[str], listed: Collection[str]) -> Refused:
    near = dict.fromkeys(near for name in names for near in get_close_matches(name, listed, n=3, cutoff=0.5))
    hint = f"Near it: {', '.join(list(near)[:3])}." if near else "Add a symbol mapping to the hook."
    return Refused(DenyCode.UNKNOWN_SYMBOL, f"{clip(ticker)} {what}. {hint}", field="symbol")
