"""One body in, what it asks for out."""

from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.sources.tradingview.body import Body, BodyKind, read_body
from nightdesk.sources.tradingview.forms import JSON_FORMS, TEXT_FORMS, native, opaque
from nightdesk.sources.tradingview.parsed import Parsed, ParseSettings
from nightdesk.sources.tradingview.placeholders import check_placeholders
from nightdesk.sources.tradingview.refusal import PLACEHOLDER, SIMPLEST, unfilled
from nightdesk.sources.tradingview.secrets_in import blank
from nightdesk.sources.wording import clip

_KEYS_SHOWN = 8


def parse(raw: bytes, *, settings: ParseSettings) -> Parsed:
    """What the bytes ask for; `Refused` with a code, a field and words for the sender when that is unclear."""
    return understand(read_body(raw), settings)


def understand(body: Body, settings: ParseSettings) -> Parsed:
    """The same for a body that was read already."""
    notes = body.notes
    if body.kind is BodyKind.JSON:
        if "{{" in body.text:
            notes += check_placeholders(body.fields)
        if native.recognise(body):
            return native.normalise(body, settings, notes)
        for form in JSON_FORMS:
            if form.recognise(body):
                return form.normalise(body, settings, notes)
    else:
        if body.text in settings.opaque_codes:
            return opaque.normalise(body, settings, notes)
        for form in TEXT_FORMS:
            if form.recognise(body):
                return form.normalise(body, settings, notes)
        if found := PLACEHOLDER.search(body.text):
            raise unfilled("body", found.group())
    raise _unknown(body)


def _unknown(body: Body) -> Refused:
    if body.kind is BodyKind.JSON:
        keys = ", ".join(clip(key) for key in list(body.fields)[:_KEYS_SHOWN])
        seen = f"a JSON object with the fields {keys}" if keys else "an empty JSON object"
    else:
        seen = f"the text {clip(blank(body).text)}"
    return Refused(
        DenyCode.INVALID_SIGNAL,
        f"Seen was {seen}, which is no form of alert known here. The simplest that works: {SIMPLEST}",
    )
