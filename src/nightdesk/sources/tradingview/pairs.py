"""Texts made of `name=value` pairs."""

import re

from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.sources.tradingview.body import Body, BodyKind, Json
from nightdesk.sources.tradingview.words import fold

_NAME = re.compile(r"[A-Za-z][\w.-]{0,40}", re.ASCII)


def read_pairs(body: Body) -> dict[str, Json] | None:
    """The pairs of a text, or None when it is not made of pairs alone.

    Pairs stand on lines or between `;`, else between `,` or `&`, else between blanks; `:` may stand for `=`.
    """
    if body.kind is BodyKind.JSON or not ("=" in body.text or ":" in body.text):
        return None
    pairs: dict[str, Json] = {}
    seen: set[str] = set()
    for part in _parts(body.text):
        name, sign, value = part.partition("=" if "=" in part else ":")
        name = name.strip()
        if not sign or not _NAME.fullmatch(name):
            return None
        if fold(name) in seen:
            raise Refused(DenyCode.FIELD_INVALID, f"{name} is given more than once.", field=name)
        seen.add(fold(name))
        pairs[name] = value.strip().strip("\"'")
    return pairs


def _parts(text: str) -> list[str]:
    if "\n" in text or ";" in text:
        parts = re.split(r"[\n;]", text)
    elif "," in text or "&" in text:
        parts = re.split(r"[,&]", text)
    else:
        parts = text.split() if "=" in text and " = " not in text else [text]
    return [part for part in parts if part.strip()]
