"""The way in and out for a person."""

from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from nightdesk.model.denial import DenyCode
from nightdesk.web.auth import Door
from nightdesk.web.body import read_bounded, read_form
from nightdesk.web.desk import Desk
from nightdesk.web.pages.render import here, page
from nightdesk.web.problems import Problem, WebCode

_FORM = "application/x-www-form-urlencoded"


def entry_routes(desk: Desk, door: Door) -> APIRouter:
    """`/login` and `/logout`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/login")
    async def login(request: Request) -> Response:
        """The form that asks for the operator token."""
        if _signed_in(door, request):
            return RedirectResponse(safe_next(request.query_params.get("next")), 303)
        return page("login", next=safe_next(request.query_params.get("next")), problem=None)

    @router.post("/login")
    async def enter(request: Request) -> Response:
        """A session for the right token, the form again for a wrong one."""
        form = await form_of(desk, request)
        way_on = safe_next(form.get("next"))
        try:
            cookie = door.sign_in(request, form.get("token", "").strip())
        except Problem as problem:
            if problem.code not in (DenyCode.INVALID_TOKEN, DenyCode.RATE_LIMITED):
                raise
            headers = {name: value for name, value in problem.headers.items() if name != "www-authenticate"}
            return page("login", problem.status, headers, next=way_on, problem=problem)
        return RedirectResponse(way_on, 303, {"set-cookie": cookie, "cache-control": "no-store"})

    @router.post("/logout")
    async def leave(request: Request) -> Response:
        """The session is over."""
        door.same_origin(request)
        headers = {"set-cookie": door.sign_out(request), "cache-control": "no-store"}
        return RedirectResponse("/login", 303, headers)

    return router


def _signed_in(door: Door, request: Request) -> bool:
    try:
        return door.look(request) is not None
    except Problem:
        return False


def to_login(request: Request) -> Response:
    """The way to the login, and back here from it."""
    way_back = here(request)
    after = f"?next={quote(way_back, safe='')}" if way_back != "/" else ""
    return RedirectResponse(f"/login{after}", 303, {"cache-control": "no-store"})


def safe_next(path: str | None) -> str:
    """A path of this desk, whatever was asked for."""
    if not path or not path.startswith("/") or path.startswith("//") or "\\" in path or not path.isprintable():
        return "/"
    return path


async def form_of(desk: Desk, request: Request) -> dict[str, str]:
    """The fields of a posted form, bounded like an alert."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise Problem(WebCode.UNSUPPORTED_MEDIA_TYPE, f"a form is {_FORM}", field="Content-Type")
    length = request.headers.get("content-length")
    raw = await read_bounded(
        request.receive,
        declared=length.encode("latin-1") if length is not None else None,
        clock=desk.clock,
        most=desk.config.max_body,
        seconds=desk.config.body_timeout,
    )
    return read_form(raw)
