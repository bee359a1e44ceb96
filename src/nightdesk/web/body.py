"""Bodies, bounded in size and time, whatever is sent."""

from urllib.parse import parse_qsl

from starlette.types import Receive

from nightdesk.model.denial import DenyCode
from nightdesk.runtime.clock import Clock
from nightdesk.web.problems import Problem, WebCode


class SenderGone(Exception):
    """The connection ended before the whole body had arrived; there is nobody to answer."""


async def read_bounded(receive: Receive, *, declared: bytes | None, clock: Clock, most: int, seconds: float) -> bytes:
    """The whole body; Problem BODY_TOO_LARGE as soon as that is known, BODY_TIMEOUT when it takes too long."""
    if declared is not None and declared.isdigit() and (len(declared) > 12 or int(declared) > most):
        raise _too_large(f"the body has {declared[:20].decode()} bytes, {most} are read", most)
    parts: list[bytes] = []
    total, more = 0, True
    try:
        async with clock.timeout(seconds):
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    raise SenderGone
                part: bytes = message.get("body", b"")
                total += len(part)
                if total > most:
                    raise _too_large(f"the body has more than {most} bytes", most)
                parts.append(part)
                more = message.get("more_body", False)
    except TimeoutError as error:
        text = f"the body had not arrived after {seconds:g} s; {total} bytes had"
        raise Problem(DenyCode.BODY_TIMEOUT, text, field="body", close=True) from error
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(text: str, most: int) -> Problem:
    return Problem(DenyCode.BODY_TOO_LARGE, text, field="body", close=True)


def read_form(raw: bytes) -> dict[str, str]:
    """The fields of a form as a browser posts it; of several with one name the last counts."""
    try:
        return dict(parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=40, errors="strict"))
    except ValueError as error:
        raise Problem(WebCode.BAD_REQUEST, "the body is not a form", field="body") from error


def read_query(raw: bytes) -> dict[str, str]:
    """The parameters of a query string; of several with one name the first counts."""
    try:
        pairs = parse_qsl(raw.decode("latin-1"), keep_blank_values=True, max_num_fields=40)
    except ValueError as error:
        raise Problem(WebCode.BAD_REQUEST, "the query string has too many fields", field="query") from error
    return dict(reversed(pairs))
