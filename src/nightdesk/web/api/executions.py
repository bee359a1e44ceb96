"""Fills."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from nightdesk.web.api.params import EXECUTION_KEYS, cursor, read_cursor, read_filters, read_limit
from nightdesk.web.auth import Door, Who
from nightdesk.web.desk import Desk
from nightdesk.web.plain import PlainJson
from nightdesk.web.problems import Problem, WebCode
from nightdesk.web.records import execution_fields
from nightdesk.web.store import execution
from nightdesk.web.store import executions as read_executions


def execution_routes(desk: Desk, door: Door) -> APIRouter:
    """`/api/executions` and `/api/executions/{execution_id}`."""
    router = APIRouter()
    operator = Annotated[Who, Depends(door.operator)]

    @router.get("/api/executions")
    def executions(request: Request, _: operator) -> PlainJson:
        """The newest fills that fit the filters, and the cursor of the next page."""
        params = request.query_params
        filters, limit, after = read_filters(params, EXECUTION_KEYS), read_limit(params), read_cursor(params)
        found = desk.reader.run(lambda tx: read_executions(tx, filters, limit=limit + 1, after=after))
        page = found[:limit]
        more = cursor(page[-1].at, page[-1].cl_ord_id, page[-1].key) if len(found) > limit else None
        return PlainJson({"executions": [execution_fields(line) for line in page], "next": more})

    @router.get("/api/executions/{execution_id}")
    def one(execution_id: str, _: operator) -> PlainJson:
        """One fill, named as the list names it: the order's id, a dot, the venue's id of the fill."""
        cl_ord_id, _dot, exec_id = execution_id.partition(".")
        line = desk.reader.run(lambda tx: execution(tx, cl_ord_id, exec_id))
        if line is None:
            text = f"there is no execution {execution_id[:64]!a}"
            raise Problem(WebCode.NOT_FOUND, text, field="execution_id")
        return PlainJson(execution_fields(line))

    return router
