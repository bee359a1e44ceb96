"""The Idempotency-Key of a request."""

from nightdesk.model.denial import DenyCode
from nightdesk.web.problems import Problem

LONGEST = 255


def idempotency_key(text: str | None) -> str | None:
    """The key, None where none was sent; the Problem FIELD_INVALID for one that could not be written down."""
    if text is None:
        return None
    text = text.strip()
    if not text or len(text) > LONGEST or not text.isascii() or not text.isprintable():
        words = f"Idempotency-Key must be 1 to {LONGEST} printable ASCII characters"
        raise Problem(DenyCode.FIELD_INVALID, words, field="Idempotency-Key")
    return text
