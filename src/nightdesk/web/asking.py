"""An order as a person asks for it, by API or by form: read once, with the same bounds an alert has."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from nightdesk.model.denial import DenyCode
from nightdesk.model.enums import OrdType, Side, TimeInForce
from nightdesk.model.signal import SizeUnit
from nightdesk.sources.tradingview.body import BodyKind, read_body
from nightdesk.sources.tradingview.numbers import decimal
from nightdesk.web.desk import PersonOrder
from nightdesk.web.problems import Problem

SIMPLEST = '{"symbol": "BTC-USD", "side": "buy", "size": "0.1"}'
_SHOWN = 40


def _amount(name: str) -> Any:
    return BeforeValidator(lambda value: None if value is None else decimal(value, name, positive=True))


def _upper(value: object) -> object:
    return value.strip().upper() if isinstance(value, str) else value


Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.:/!-]*$")]


class Asked(BaseModel):
    """The fields of an order; unknown ones are refused, because a misspelled one would be left out silently."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    symbol: Name
    side: Annotated[Side | None, BeforeValidator(_upper)] = None
    size: Annotated[Decimal | None, _amount("size")] = None
    size_unit: Annotated[SizeUnit, BeforeValidator(_upper)] = SizeUnit.BASE
    order_type: Annotated[OrdType, BeforeValidator(_upper)] = OrdType.MARKET
    price: Annotated[Decimal | None, _amount("price")] = None
    stop_price: Annotated[Decimal | None, _amount("stop_price")] = None
    time_in_force: Annotated[TimeInForce | None, BeforeValidator(_upper)] = None
    reduce_only: bool = False
    close: bool = False
    venues: Annotated[tuple[Name, ...], Field(max_length=20)] = ()
    sleeve: Name = "person"
    id: Annotated[str | None, StringConstraints(min_length=1, max_length=255, pattern=r"^[ -~]+$")] = None
    """What the header Idempotency-Key says, for callers that cannot set one."""


def read_json(raw: bytes) -> dict[str, Any]:
    """The JSON object of a body, an empty one for an empty body; Refused, with the field, for anything else."""
    if not raw.strip():
        return {}
    body = read_body(raw)
    if body.kind is not BodyKind.JSON:
        raise Problem(DenyCode.INVALID_SIGNAL, f"the body is not JSON; the simplest that works: {SIMPLEST}")
    return dict(body.fields)


def read_asked(fields: Mapping[str, Any], *, explicit_id: str | None, actor: str) -> PersonOrder:
    """The order asked for; a Problem or Refused names the first field that cannot be meant."""
    try:
        asked = Asked.model_validate(fields)
    except ValidationError as error:
        raise _problem(error) from error
    if asked.side is None and not asked.close:
        raise Problem(DenyCode.FIELD_MISSING, "side is missing: buy or sell", field="side")
    if asked.size is None and not asked.close:
        raise Problem(DenyCode.FIELD_MISSING, "size is missing: a positive number", field="size")
    return PersonOrder(
        symbol=asked.symbol,
        side=asked.side,
        size=asked.size,
        size_unit=asked.size_unit,
        ord_type=asked.order_type,
        price=asked.price,
        stop_px=asked.stop_price,
        time_in_force=asked.time_in_force,
        reduce_only=asked.reduce_only,
        close=asked.close,
        venues=asked.venues,
        sleeve=asked.sleeve,
        explicit_id=explicit_id or asked.id,
        actor=actor,
    )


def _problem(error: ValidationError) -> Problem:
    first = error.errors(include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"])[:64]
    if first["type"] == "missing":
        return Problem(DenyCode.FIELD_MISSING, f"{field} is missing; the simplest order: {SIMPLEST}", field=field)
    if first["type"] == "extra_forbidden":
        known = ", ".join(Asked.model_fields)
        return Problem(DenyCode.FIELD_INVALID, f"{field} is no field of an order; known are {known}", field=field)
    given = first["input"]
    shown = ascii(given)[:_SHOWN] if isinstance(given, str) else type(given).__name__
    reason = first["msg"].removeprefix("Input ").rstrip(".")
    return Problem(DenyCode.FIELD_INVALID, f"{field} is {shown}: it {reason}", field=field)
