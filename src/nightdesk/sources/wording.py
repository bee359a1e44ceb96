"""How a sender's own text is repeated in an answer."""

_SHOWN = 40


def clip(value: object) -> str:
    """The value as people may see it: quoted, control characters escaped, cut to 40 characters."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    shown = ascii(text[:_SHOWN])
    return f"{shown[:-1]}...'" if len(text) > _SHOWN else shown
