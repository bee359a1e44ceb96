"""Commands that act through the running desk's API on loopback."""

import http.client
import json as jsonlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nightdesk.cli.words import BAD, GOOD, NEUTRAL, WARN, mark, say, table
from nightdesk.model.errors import NightdeskError
from nightdesk.risk.halt import FILE_NAME, write_halt_file
from nightdesk.runtime.secrets import SecretsError, load_or_create_tokens, prepare_data_dir

ADDRESS = "address"
TIMEOUT = 10.0


class Unreachable(NightdeskError):
    """No desk answers there."""


class Answered(NightdeskError):
    """The desk said no, in its own words."""


class _Desk:
    """One running desk's API."""

    def __init__(self, data: Path, url: str | None) -> None:
        if url is None:
            try:
                url = (data / ADDRESS).read_text(encoding="utf-8").strip()
            except OSError as error:
                raise Unreachable(
                    f"No desk has run over {data} yet. Start one with `nightdesk run --data {data}`, or name another"
                    " with --data or --url."
                ) from error
            self._token = load_or_create_tokens(data, os.environ).operator.reveal()
        else:
            token = os.environ.get("NIGHTDESK_OPERATOR_TOKEN")
            if not token:
                raise SecretsError("Set NIGHTDESK_OPERATOR_TOKEN to the operator token of the desk at --url.")
            self._token = token
        self._url = url

    def call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        """The answer's JSON. Raises Unreachable, or Answered with the desk's words."""
        parts = urlsplit(self._url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=TIMEOUT)
        headers = {"Authorization": f"Bearer {self._token}"}
        payload = None
        if body is not None:
            payload = jsonlib.dumps(body)
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, path, payload, headers)
            response = connection.getresponse()
            text = response.read(4_000_000)
        except OSError as error:
            raise Unreachable(
                f"The desk at {self._url} does not answer ({error.strerror or type(error).__name__}). Is it running?"
            ) from error
        finally:
            connection.close()
        try:
            found: dict[str, Any] = jsonlib.loads(text)
        except ValueError as error:
            raise Unreachable(f"What answers at {self._url} is not a desk (status {response.status}).") from error
        if response.status >= 400:
            step = found.get("next_step")
            raise Answered(f"{found.get('error', 'refused')} [{found.get('code')}]" + (f"\n  {step}" if step else ""))
        return found


def place_order(
    *,
    side: str,
    symbol: str,
    size: str | None,
    price: str | None,
    stop: str | None,
    venues: Sequence[str],
    sleeve: str,
    key: str | None,
    data: Path,
    url: str | None,
    json: bool,
) -> None:
    """The order is accepted and what became of each leg is printed."""
    body: dict[str, object] = {"symbol": symbol, "sleeve": sleeve}
    if side == "close":
        body["close"] = True
    else:
        body["side"] = side
    order_type = {(True, True): "stop_limit", (True, False): "limit", (False, True): "stop"}.get(
        (price is not None, stop is not None), "market"
    )
    body["order_type"] = order_type
    optional = {"size": size, "price": price, "stop_price": stop, "id": key, "venues": list(venues) or None}
    body |= {name: value for name, value in optional.items() if value is not None}
    found = _Desk(data, url).call("POST", "/api/orders", body)
    if json:
        say(jsonlib.dumps(found, indent=2))
        return
    say(f"{mark(GOOD)} Accepted as signal {found['signal_id']}.")
    _show_orders(found.get("orders", []))
    say("  `nightdesk explain ID` tells the story of an order.")


def cancel_order(cl_ord_id: str, *, data: Path, url: str | None) -> None:
    """The order is being canceled."""
    found = _Desk(data, url).call("POST", f"/api/orders/{cl_ord_id}/cancel", {})
    say(f"{mark(GOOD)} The cancel of {found.get('cl_ord_id', cl_ord_id)} is on its way.")


def show_status(*, data: Path, url: str | None, json: bool) -> None:
    """What is so is printed."""
    desk = _Desk(data, url)
    status = desk.call("GET", "/api/status")
    positions = desk.call("GET", "/api/positions").get("positions", [])
    orders = desk.call("GET", "/api/orders?limit=5").get("orders", [])
    if json:
        say(jsonlib.dumps({"status": status, "positions": positions, "orders": orders}, indent=2))
        return
    which = {"healthy": GOOD, "degraded": WARN}.get(str(status.get("status")), BAD)
    say(f"{mark(which)} {_headline(status)}")
    table(
        [[each["name"], mark(_MARKS.get(each["status"], BAD)), each["text"]] for each in status.get("components", [])]
    )
    if positions:
        say("\nPositions")
        table([[p["symbol"], p["sleeve"], p["qty"], p.get("unrealised_pnl") or ""] for p in positions])
    if orders:
        say("\nNewest orders")
        _show_orders(orders)


_MARKS = {"healthy": GOOD, "degraded": WARN, "down": BAD}


def _headline(status: Mapping[str, Any]) -> str:
    if status.get("halted"):
        return f"Trading is halted: {status.get('halt_reason')}"
    return {"healthy": "All quiet. Everything is running.", "degraded": "Running, and something needs a look."}.get(
        str(status.get("status")), "The desk is down."
    )


def _show_orders(orders: Sequence[Mapping[str, Any]]) -> None:
    rows = []
    for each in orders:
        state = str(each["ord_status"]).lower().replace("_", " ")
        which = {"FILLED": GOOD, "DENIED": BAD, "REJECTED": BAD}.get(str(each["ord_status"]), NEUTRAL)
        if each.get("doubt") not in (None, "NONE"):
            which, state = WARN, f"in doubt ({each['doubt']})"
        words = f"{str(each['side']).lower()} {each['order_qty']} {each['symbol']}"
        rows.append(
            [mark(which), words, f"on {each['venue']}", state, str(each["cl_ord_id"])[:12], each.get("text") or ""]
        )
    table(rows)


def halt_desk(reason: str, *, data: Path, url: str | None) -> None:
    """Trading is halted: by the file at once where the data directory is here, then through the desk if it answers."""
    if url is None:
        prepare_data_dir(data)
        write_halt_file(data / FILE_NAME, reason, "command line")
        say(f"{mark(BAD)} Trading is halted: {reason}")
    try:
        _Desk(data, url).call("POST", "/api/halt", {"reason": reason})
    except Unreachable:
        if url is not None:
            raise
        say("  The desk is not running; it will start halted. `nightdesk resume` begins the way back once it runs.")
        return
    say("  Entries are being canceled; protective exits stay. `nightdesk resume` begins the way back.")


def resume_desk(confirm: str | None, *, data: Path, url: str | None) -> None:
    """The first step prints a code; the second, with the code, trades again."""
    desk = _Desk(data, url)
    found = desk.call("POST", "/api/resume", {} if confirm is None else {"confirm": confirm})
    if confirm is None:
        say(f"{mark(WARN)} Trading is still halted. To trade again within five minutes:")
        say(f"  nightdesk resume --confirm {found['confirm']}")
    else:
        say(f"{mark(GOOD)} Trading goes on.")
