"""The web application, and the server that runs it."""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from nightdesk.model.denial import DenyCode
from nightdesk.model.errors import Refused
from nightdesk.runtime.database import StoreUnavailable
from nightdesk.runtime.writer import Fenced, Overloaded
from nightdesk.web.api.accounts import account_routes
from nightdesk.web.api.executions import execution_routes
from nightdesk.web.api.halt import halt_routes
from nightdesk.web.api.health import health_routes
from nightdesk.web.api.orders import order_routes
from nightdesk.web.api.positions import position_routes
from nightdesk.web.api.signals import signal_routes
from nightdesk.web.api.status import status_routes
from nightdesk.web.auth import Door
from nightdesk.web.buckets import Addresses
from nightdesk.web.config import WebConfig
from nightdesk.web.desk import Desk
from nightdesk.web.edge import Edge
from nightdesk.web.hooks import Intake, hook_routes, webhook_params
from nightdesk.web.pages.routes import page_routes, problem_page
from nightdesk.web.patience import PatientProtocol
from nightdesk.web.plain import PlainJson
from nightdesk.web.problems import Problem, WebCode, as_problem, fields_of
from nightdesk.web.stream import Stage
from nightdesk.web.waiting import Waiting

log = logging.getLogger(__name__)

DRAIN_SECONDS = 3
MOST_CONNECTIONS = 2000
_IDLE_SECONDS = 15
_NAMED = {404: WebCode.NOT_FOUND, 405: WebCode.METHOD_NOT_ALLOWED}


class _App(FastAPI):
    """An alert goes straight to the intake: matching routes would cost as much again as reading it."""

    front: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The request is answered."""
        params = webhook_params(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if params is None:
            await super().__call__(scope, receive, send)
            return
        scope["path_params"] = params
        await self.front(scope, receive, send)


def build_app(desk: Desk) -> FastAPI:
    """The application over a desk: alerts, the operator's API and the pages."""
    addresses = Addresses(desk.config.trusted_proxies)
    door = Door(desk.config, desk.clock, desk.operator_token, addresses)
    waiting = Waiting(desk)
    stage = Stage(desk)
    app = _App(title="Nightdesk", debug=False, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.stage = stage
    app.router.redirect_slashes = False
    # First, so that an alert passes no other route's pattern.
    intake = Intake(desk, addresses, waiting)
    app.router.routes.extend(hook_routes(intake))
    for router in (
        health_routes(desk, door),
        status_routes(desk, door),
        order_routes(desk, door, waiting),
        signal_routes(desk, door),
        execution_routes(desk, door),
        position_routes(desk, door, waiting),
        halt_routes(desk, door),
        account_routes(desk, door),
        page_routes(desk, door, stage, waiting),
    ):
        app.include_router(router)
    _answer_errors(app, desk)
    app.add_middleware(Edge, answer=lambda request, error: _answer(desk, request, error))
    app.front = Edge(intake, lambda request, error: _answer(desk, request, error))
    return app


def _answer_errors(app: FastAPI, desk: Desk) -> None:
    async def answer(request: Request, error: Exception) -> Response:
        return _answer(desk, request, error)

    for kind in (Problem, Refused, StoreUnavailable, Overloaded, Fenced, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, answer)


def _answer(desk: Desk, request: Request, error: Exception) -> Response:
    problem = _named(error)
    path = request.url.path
    wants_page = "text/html" in request.headers.get("accept", "")
    if wants_page and not path.startswith(("/api/", "/health", "/stream")):
        return problem_page(desk, request, problem)
    return PlainJson(fields_of(problem, desk.clock.now()), problem.status, problem.headers)


def _named(error: Exception) -> Problem:
    match error:
        case HTTPException(status_code=status):
            code = _NAMED.get(status, WebCode.BAD_REQUEST)
            return Problem(code, headers=error.headers)
        case RequestValidationError():
            field = ".".join(str(part) for part in error.errors()[0]["loc"][1:])[:64]
            return Problem(DenyCode.FIELD_INVALID, f"{field} cannot be read", field=field)
        case _:
            return as_problem(error)


async def serve(app: FastAPI, config: WebConfig, on_ready: Callable[[int], None]) -> None:
    """Serves until it is cancelled, then lets requests under way end for up to 5 s.

    `on_ready` gets the port once connections are taken. Raises OSError where the address cannot be had.
    """
    listener = _listen(config)
    server = _Server(
        uvicorn.Config(
            app,
            loop="none",
            http=PatientProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
            ssl_certfile=config.tls_certificate or None,
            ssl_keyfile=config.tls_key or None,
        )
    )
    server.on_ready = lambda: on_ready(listener.getsockname()[1])
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        app.state.stage.close()
        server.should_exit = True
        await serving
        raise
    finally:
        listener.close()


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to the desk and says when it takes connections."""

    on_ready: Callable[[], None]

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.on_ready()


def _listen(config: WebConfig) -> socket.socket:
    family, kind, proto, _, address = socket.getaddrinfo(
        config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, proto)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener
