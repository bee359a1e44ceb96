"""What a person does from a page. Every form leads through the same calls as the API, then back to a page."""

from collections.abc import Mapping
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from nightdesk.model.denial import DenyCode
from nightdesk.model.identifiers import AccountId, ClOrdId
from nightdesk.web.api.halt import read_text
from nightdesk.web.api.orders import read_settlement
from nightdesk.web.auth import Door, Who
from nightdesk.web.desk import Desk
from nightdesk.web.pages.entry import form_of
from nightdesk.web.pages.frame import frame
from nightdesk.web.pages.render import page
from nightdesk.web.problems import Problem


def act_routes(desk: Desk, door: Door) -> APIRouter:
    """Where the forms of other pages post to, and the two steps of a resume."""
    router = APIRouter(include_in_schema=False)
    operator = Annotated[Who, Depends(door.operator)]

    @router.get("/halt")
    def ask_halt(_: operator) -> Response:
        """What halting does, and the button."""
        return page("halt", desk=frame(desk), tab="", status=desk.status())

    @router.post("/act/halt")
    async def halt(request: Request, who: operator) -> Response:
        """Trading is halted."""
        form = await form_of(desk, request)
        reason = read_text({"reason": form.get("reason", "")}, "reason") or "halted on the page"
        await desk.halt(reason, who.actor)
        return back("/")

    @router.get("/resume")
    def ask_resume(_: operator) -> Response:
        """The first step: why it was halted."""
        return page("resume", desk=frame(desk), tab="", status=desk.status(), code=None)

    @router.post("/act/resume")
    async def resume(request: Request, who: operator) -> Response:
        """The second step, or, with its code, trading again."""
        form = await form_of(desk, request)
        code = read_text({"confirm": form.get("confirm", "")}, "confirm")
        if code:
            await desk.resume_confirm(code, who.actor)
            return back("/")
        code = await desk.resume_begin(who.actor)
        status, around = await to_thread.run_sync(lambda: (desk.status(), frame(desk)))
        return page("resume", desk=around, tab="", status=status, code=code)

    @router.post("/act/settle")
    async def settle(request: Request, who: operator) -> Response:
        """The doubt is ended, or the held order answered."""
        form = await form_of(desk, request)
        cl_ord_id = needed(form, "cl_ord_id")
        fields = {key: form[key] for key in ("action", "qty", "px", "text") if form.get(key)}
        await desk.settle(read_settlement(cl_ord_id, fields, who.actor, form.get("key", "")))
        return back(f"/orders/{cl_ord_id}")

    @router.post("/act/cancel")
    async def cancel(request: Request, who: operator) -> Response:
        """The cancel is on its way."""
        cl_ord_id = needed(await form_of(desk, request), "cl_ord_id")
        await desk.cancel(ClOrdId(cl_ord_id), who.actor)
        return back(f"/orders/{cl_ord_id}")

    @router.post("/act/acknowledge")
    async def acknowledge(request: Request, who: operator) -> Response:
        """The mismatch is seen, and the account trades again."""
        account_id = needed(await form_of(desk, request), "account_id")
        await desk.acknowledge(AccountId(account_id), who.actor)
        return back("/")

    return router


def needed(form: Mapping[str, str], name: str) -> str:
    """The field, which the form must have; the Problem FIELD_MISSING where it does not."""
    value = form.get(name, "").strip()
    if not value or len(value) > 128 or not value.isprintable():
        raise Problem(DenyCode.FIELD_MISSING, f"{name} is missing in the form", field=name)
    return value


def back(path: str) -> Response:
    """The next page, so that reloading it does nothing again."""
    return RedirectResponse(path, 303, {"cache-control": "no-store"})
