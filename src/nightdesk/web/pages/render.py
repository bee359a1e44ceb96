"""Templates and static files, read once; everything put into a page is escaped."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from nightdesk.web import words
from nightdesk.web.glance import Glance
from nightdesk.web.story import found_words

_HERE = Path(__file__).parent
PARTS = ("mode", "state", "figures", "todos", "feed", "venues", "prices", "positions", "foot")
"""The fragments of the first page that are replaced as the desk changes; each is a template of its own."""
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Static:
    """One file a page refers to; `tag` changes with its content."""

    content: bytes
    media_type: str
    tag: str


@cache
def statics() -> Mapping[str, Static]:
    """The static files by name."""
    found = {}
    for path in sorted((_HERE / "static").iterdir()):
        if path.suffix in _TYPES:
            content = path.read_bytes()
            tag = hashlib.sha256(content).hexdigest()[:12]
            found[path.name] = Static(content, _TYPES[path.suffix], tag)
    return found


@cache
def templates() -> Environment:
    """The templates; a name that is missing is an error, not an empty text."""
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for name in ("amount", "price", "signed", "money", "signed_money", "span", "ago", "plural", "state_words", "wish"):
        environment.filters[name] = getattr(words, name)
    environment.filters["found_words"] = found_words
    environment.filters["clock"] = _clock
    environment.filters["dated"] = _dated
    environment.globals["static"] = lambda name: f"/static/{name}?v={statics()[name].tag}"
    return environment


def page(name: str, status_code: int = 200, headers: Mapping[str, str] | None = None, **values: Any) -> HTMLResponse:
    """The page as an answer that no cache keeps."""
    content = templates().get_template(f"{name}.html").render(**values)
    return HTMLResponse(content, status_code, {"cache-control": "no-store", **(headers or {})})


def parts(glance: Glance) -> dict[str, str]:
    """The fragments of the first page, by name."""
    values = {"g": glance}
    return {name: templates().get_template(f"parts/{name}.html").render(**values).strip() for name in PARTS}


def here(request: Request) -> str:
    """The path and query of a request, for the way back to it."""
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path


def _clock(at: datetime) -> Markup:
    """The time of day, which the script puts into the reader's zone; the whole moment on hover."""
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}" title="{} UTC" data-clock>{}</time>').format(
        utc.isoformat(), f"{utc:%Y-%m-%d %H:%M:%S.%f}"[:-3], f"{utc:%H:%M:%S}"
    )


def _dated(at: datetime) -> Markup:
    """The same with its day."""
    utc = at.astimezone(UTC)
    return Markup('<time datetime="{}" title="{} UTC" data-dated>{}</time>').format(
        utc.isoformat(), f"{utc:%Y-%m-%d %H:%M:%S.%f}"[:-3], f"{utc:%d %b %H:%M:%S}"
    )
