"""Tokens inside a body: found for the check of who sent it, and blanked in everything that is kept."""

import hashlib
import re
from functools import lru_cache
from json.encoder import encode_basestring
from typing import NamedTuple

from nightdesk.sources.tradingview.body import Body, BodyKind, Json, Number
from nightdesk.sources.tradingview.fields import NAMES

BLANK = "***"
_SPOTTED = 8
"""A token at least this long is blanked wherever else it appears; a shorter one would be found by chance."""

_NAME = (
    r"[\w-]{0,24}(?:token|secret|passphrase|password|passwd)"
    r"|(?:[\w-]{0,24}[_-])?(?:api|auth|access|secret|private|signing)[_-]?key|key|auth|licen[cs]e(?:[_-]?id)?"
)
_SECRET_NAME = re.compile(_NAME, re.IGNORECASE | re.ASCII)
_PAIR = re.compile(
    rf"""(?<![\w-])(?:{_NAME})["']?[ \t]{{0,8}}[=:][ \t]{{0,8}}("(?:[^"\\]|\\.)*+"|[^\s,;&)}}"]+)""",
    re.IGNORECASE | re.ASCII,
)
_LICENCE = re.compile(r"([0-9]{8,20})[ \t]{0,4},")


class Blanked(NamedTuple):
    """A body fit to be kept, the tokens that were in it, and the digest that tells two bodies apart."""

    text: str
    tokens: tuple[str, ...]
    digest: str
    """SHA-256 (hex) of the canonical form without its tokens: key order, spaces and rotated tokens do not change it."""


def blank(body: Body) -> Blanked:
    """The body without its tokens."""
    if body.kind is BodyKind.TEXT:
        return _blank_text(body.text)
    found: list[str] = []
    _collect(body.fields, found)
    if not found:
        return Blanked(body.text, (), _digest(_written(body.fields)))
    tokens = tuple(dict.fromkeys(found))
    clean = _cleaned(body.fields, tuple(token for token in tokens if len(token) >= _SPOTTED))
    return Blanked(_written(clean, in_order=False), tokens, _digest(_written(clean)))


def blank_unread(raw: bytes) -> Blanked:
    """The same for bytes that `read_body` refused, by the looks of the text alone; at most 2,000 characters of it."""
    return _blank_text(raw[:2_000].decode("utf-8", "replace").replace("\0", "\ufffd"))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _blank_text(text: str) -> Blanked:
    tokens = [found.strip('"') for found in _PAIR.findall(text)]
    text = _PAIR.sub(lambda m: m.group().removesuffix(m.group(1)) + BLANK, text)
    if licence := _LICENCE.match(text):
        tokens.append(licence.group(1))
        text = BLANK + text[licence.end(1) :]
    tokens = [token for token in dict.fromkeys(tokens) if token]
    for token in tokens:
        if len(token) >= _SPOTTED:
            text = text.replace(token, BLANK)
    canonical = "\n".join(line.strip() for line in text.strip().splitlines())
    return Blanked(text, tuple(tokens), _digest(canonical))


@lru_cache(maxsize=4096)
def _is_secret(key: str) -> bool:
    return key not in NAMES and _SECRET_NAME.fullmatch(key) is not None


def _collect(value: Json, found: list[str], *, secret: bool = False) -> None:
    """Adds every text under a secret name, however deep below it."""
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, (dict, list)):
                _collect(item, found, secret=secret or _is_secret(key))
            elif isinstance(item, str) and item and (secret or _is_secret(key)):
                found.append(str(item))
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, (dict, list)):
                _collect(item, found, secret=secret)
            elif isinstance(item, str) and item and secret:
                found.append(str(item))


def _cleaned(value: Json, tokens: tuple[str, ...], *, secret: bool = False) -> Json:
    if isinstance(value, dict):
        return {
            _spotless(key, tokens): _cleaned(item, tokens, secret=secret or _is_secret(key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_cleaned(item, tokens, secret=secret) for item in value]
    if isinstance(value, str):
        return BLANK if secret and value else _spotless(value, tokens)
    return value


def _spotless(text: str, tokens: tuple[str, ...]) -> str:
    for token in tokens:
        if token in text:
            text = text.replace(token, BLANK)
    return text


def _written(value: Json, *, in_order: bool = True) -> str:
    """JSON without spaces, its keys sorted unless told otherwise, every number in the digits it came with."""
    if isinstance(value, str):
        return str(value) if isinstance(value, Number) else encode_basestring(value)
    if isinstance(value, dict):
        items = sorted(value.items()) if in_order else value.items()
        return "{" + ",".join([f"{encode_basestring(k)}:{_written(v, in_order=in_order)}" for k, v in items]) + "}"
    if isinstance(value, list):
        return "[" + ",".join([_written(item, in_order=in_order) for item in value]) + "]"
    return "null" if value is None else "true" if value else "false"
