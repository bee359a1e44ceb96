"""The pages that are read: now, orders, signals, their stories, and how to connect a sender."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response
from starlette.routing import Route

from nightdesk.sources.tradingview.messages import MESSAGES
from nightdesk.web.auth import Door, Who
from nightdesk.web.desk import Desk
from nightdesk.web.glance import look
from nightdesk.web.pages.acts import act_routes
from nightdesk.web.pages.entry import entry_routes, to_login
from nightdesk.web.pages.frame import example, frame, hook_address
from nightdesk.web.pages.reading import reading_routes
from nightdesk.web.pages.render import PARTS, page, parts, statics
from nightdesk.web.pages.trade import trade_routes
from nightdesk.web.problems import Problem, WebCode, fields_of
from nightdesk.web.stream import Stage, Stream
from nightdesk.web.waiting import Waiting

_FOREVER = {"cache-control": "public, max-age=31536000, immutable"}


def page_routes(desk: Desk, door: Door, stage: Stage, waiting: Waiting) -> APIRouter:
    """All pages, the stream that keeps them up to date, and the files they use."""
    router = APIRouter(include_in_schema=False)
    operator = Annotated[Who, Depends(door.operator)]

    @router.get("/")
    def now(request: Request, _: operator) -> Response:
        """The desk at a glance."""
        seen = look(desk)
        address = None if seen.newest is not None else hook_address(desk, request)
        return page(
            "glance", desk=frame(desk), tab="now", g=seen, parts=parts(seen), names=PARTS, address=address,
            messages=MESSAGES,
            example=example(desk),
        )  # fmt: skip

    @router.get("/connect")
    def connect(request: Request, _: operator) -> Response:
        """How to connect a sender: the address without its token, and the messages to copy."""
        return page(
            "connect", desk=frame(desk), tab="connect", address=hook_address(desk, request), token=None,
            hooks=desk.hooks, messages=MESSAGES,
            example=example(desk),
        )  # fmt: skip

    @router.post("/connect")
    def connect_with_token(request: Request, _: operator) -> Response:
        """The same with the token, for whoever pressed the button."""
        return page(
            "connect", desk=frame(desk), tab="connect", address=hook_address(desk, request),
            token=desk.webhook_token.reveal(), hooks=desk.hooks, messages=MESSAGES,
            example=example(desk),
        )  # fmt: skip

    @router.get("/static/{name}")
    async def static(name: str) -> Response:
        """A file the pages refer to by a name that changes with its content."""
        found = statics().get(name)
        if found is None:
            raise Problem(WebCode.NOT_FOUND)
        return Response(found.content, media_type=found.media_type, headers=_FOREVER)

    router.routes.append(Route("/stream", Stream(desk, door, stage), methods=["GET"], name="stream"))
    router.include_router(entry_routes(desk, door))
    router.include_router(reading_routes(desk, door))
    router.include_router(act_routes(desk, door))
    router.include_router(trade_routes(desk, door, waiting))
    return router


def problem_page(desk: Desk, request: Request, problem: Problem) -> Response:
    """The page that says no; somebody without a session is led to the login instead."""
    if problem.code is WebCode.SIGN_IN_REQUIRED and request.method == "GET":
        return to_login(request)
    fields = fields_of(problem, desk.clock.now())
    headers = {name: value for name, value in problem.headers.items() if name != "www-authenticate"}
    return page("problem", problem.status, headers, p=fields, status=problem.status)
