"""Every answer that says no, in one place and one shape: what is wrong, where, and what to do next."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum

from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.runtime.database import CommitUnknown, StoreUnavailable
from nightdesk.runtime.writer import Fenced, Overloaded
from nightdesk.web.plain import moment


class WebCode(Enum):
    """What only a web server has to say no to; the rest is `DenyCode`."""

    NOT_FOUND = ("There is nothing at this address.", "Check the path; docs/guide/api.md lists them all.")
    METHOD_NOT_ALLOWED = ("The address does not take this method.", "Use a method that the Allow header names.")
    BAD_REQUEST = ("The request cannot be read.", "Compare it with the examples in docs/guide/api.md.")
    UNSUPPORTED_ENCODING = ("The body is compressed.", "Send it without Content-Encoding.")
    UNSUPPORTED_MEDIA_TYPE = ("The body is of a type this address does not take.", "Send application/json.")
    SIGN_IN_REQUIRED = (
        "This needs the operator token.",
        "Send the header Authorization: Bearer and the token, or sign in on the page.",
    )
    CROSS_SITE = ("The request came from another site's page.", "Repeat it on the desk's own page.")
    DESK_DOWN = ("A part of the desk that it cannot do without is down.", "Run `nightdesk doctor`.")
    NOT_READY = ("The desk is still comparing itself with its venues.", "Ask again in a few seconds.")
    INTERNAL_ERROR = (
        "The desk failed to answer; it is in the log.",
        "Look at what was stored before repeating anything, and at the log for the reason.",
    )

    def __init__(self, meaning: str, next_step: str) -> None:
        self.meaning = meaning
        self.next_step = next_step


Code = DenyCode | WebCode

_STATUS: Mapping[Code, int] = {
    DenyCode.INVALID_TOKEN: 401,
    DenyCode.INVALID_SIGNAL: 400,
    DenyCode.BODY_TOO_DEEP: 400,
    DenyCode.BODY_TOO_LARGE: 413,
    DenyCode.BODY_TIMEOUT: 408,
    DenyCode.RATE_LIMITED: 429,
    DenyCode.OVERLOADED: 503,
    DenyCode.STORE_UNAVAILABLE: 503,
    DenyCode.UNKNOWN_ORDER: 404,
    DenyCode.ORDER_ENDED: 409,
    # Nothing is wrong with the request, and sending it again would not help.
    DenyCode.DUPLICATE_SIGNAL: 200,
    DenyCode.STALE_SIGNAL: 200,
    DenyCode.NO_ACTION: 200,
    WebCode.NOT_FOUND: 404,
    WebCode.METHOD_NOT_ALLOWED: 405,
    WebCode.BAD_REQUEST: 400,
    WebCode.UNSUPPORTED_ENCODING: 415,
    WebCode.UNSUPPORTED_MEDIA_TYPE: 415,
    WebCode.SIGN_IN_REQUIRED: 401,
    WebCode.CROSS_SITE: 403,
    WebCode.DESK_DOWN: 503,
    WebCode.NOT_READY: 503,
    WebCode.INTERNAL_ERROR: 500,
}
RETRY_AFTER = {503: 2, 429: 1}
"""Seconds a caller is told to wait where nothing better is known."""


class Problem(Exception):
    """An answer that says no; raised anywhere in the web room and written out by `build_app`."""

    def __init__(
        self,
        code: Code,
        text: str = "",
        *,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
        close: bool = False,
        status: int | None = None,
        next_step: str | None = None,
    ) -> None:
        super().__init__(text or code.meaning)
        self.code = code
        self.text = text or code.meaning
        self.field = field
        self.status = status or status_of(code)
        self.next_step = next_step or code.next_step
        self.signal_id: str | None = None
        """Of the signal the ledger keeps for it, where it keeps one."""
        self.headers = {**_always(self.status), **(headers or {})}
        if close:
            self.headers["connection"] = "close"


def status_of(code: Code) -> int:
    """The HTTP status of a code: 422 unless the code has one of its own."""
    return _STATUS.get(code, 422)


def _always(status: int) -> dict[str, str]:
    if status == 401:
        return {"www-authenticate": "Bearer"}
    return {"retry-after": str(RETRY_AFTER[status])} if status in RETRY_AFTER else {}


def fields_of(problem: Problem, now: datetime) -> dict[str, object]:
    """The flat form of a problem."""
    fields = problem_fields(problem.code, problem.text, now=now, field=problem.field, signal_id=problem.signal_id)
    return {**fields, "next_step": problem.next_step}


def problem_fields(
    code: Code, text: str, *, now: datetime, field: str | None = None, signal_id: str | None = None
) -> dict[str, object]:
    """The flat form every refusal has."""
    return {
        "error": text,
        "code": code.name,
        "field": field,
        "next_step": code.next_step,
        "signal_id": signal_id,
        "dex": None,
        "timestamp": moment(now),
        "detail": text,
    }


def as_problem(error: Exception) -> Problem:
    """The answer to an error: its own words where it was raised for the caller, none where it was not."""
    match error:
        case Problem():
            return error
        case Refused(code=DenyCode.INVALID_TOKEN):
            # Not who asked is in doubt but a code inside the request; 401 would ask for another login.
            return Problem(error.code, error.text, field=error.field, status=403, next_step="Begin again.")
        case Refused():
            return Problem(error.code, error.text, field=error.field)
        case Overloaded():
            return Problem(DenyCode.OVERLOADED)
        case CommitUnknown():
            text = "The database went away while it was storing this, so it was kept whole or not at all."
            step = "Send the same again: if it was kept, it counts once."
            return Problem(DenyCode.STORE_UNAVAILABLE, text, next_step=step)
        case StoreUnavailable() | Fenced():
            return Problem(DenyCode.STORE_UNAVAILABLE)
        case _:
            return Problem(WebCode.INTERNAL_ERROR)
