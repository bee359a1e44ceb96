"""Commands that act through the running desk's API on loopback."""

import http.client
import json as jsonlib
import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nightdesk.cli.words import BAD, GOOD, NEUTRAL, WARN, mark, say, table
from nightdesk.model.errors import NightdeskError
from nightdesk.risk.halt import FILE_NAME, write_halt_file
from nightdesk.runtime.secrets import SecretsError, load_or_create_tokens, prepare_data_dir

ADDRESS = "address"
TIMEOUT = 10.0
WHOLE_ID = 32


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
                    f"No desk runs over {data}. Start one with `nightdesk run --data {data}`, or name another with"
                    " --data or --url."
                ) from error
            self._token = load_or_create_tokens(data, os.environ).operator.reveal()
        else:
            _check(url)
            token = os.environ.get("NIGHTDESK_OPERATOR_TOKEN")
            if not token:
                raise SecretsError("Set NIGHTDESK_OPERATOR_TOKEN to the operator token of the desk at --url.")
            self._token = token
        self._url = url

    def call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        """The answer's JSON. Raises Unreachable, or Answered with the desk's words."""
        parts = urlsplit(self._url)
        path = parts.path.rstrip("/") + path
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
            said = f"Not done: {found.get('error', 'refused')} [{found.get('code')}]"
            raise Answered(f"{said}\n  {step}" if step else said)
        return found


def _check(url: str) -> None:
    """Raises Unreachable for what is no address, and where the token would cross a network readable."""
    from nightdesk.settings import is_loopback

    try:
        parts = urlsplit(url)
        scheme, host, _ = parts.scheme, parts.hostname, parts.port
    except ValueError:
        scheme, host = "", None
    if host is None or scheme not in ("http", "https"):
        raise Unreachable(f"{url} is no address of a desk. One looks like https://desk.example, http://127.0.0.1:8646.")
    if scheme == "http" and not is_loopback(host):
        raise Unreachable(f"On the way to {url} the token could be read. Use https://, or a tunnel to 127.0.0.1.")


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
    if found["code"] == "DUPLICATE_SIGNAL":
        say(f"{mark(NEUTRAL)} That id was taken before, as signal {found['signal_id']}. Nothing was sent again.")
    else:
        say(f"{mark(GOOD)} Accepted as signal {found['signal_id']}.")
    _show_orders(found.get("orders", []))
    say("  `nightdesk explain ID` tells the story of an order.")


def cancel_order(cl_ord_id: str, *, data: Path, url: str | None, json: bool) -> None:
    """The order is being canceled."""
    desk = _Desk(data, url)
    found = desk.call("POST", f"/api/orders/{_whole_id(desk, cl_ord_id)}/cancel", {})
    if json:
        say(jsonlib.dumps(found, indent=2))
        return
    say(f"{mark(GOOD)} The cancel of {found['cl_ord_id']} is on its way.")
    say(f"  `nightdesk explain {cl_ord_id}` tells what came of it.")


def _whole_id(desk: _Desk, beginning: str) -> str:
    """The id of the one open order that begins so; the text itself where none does, for the desk to judge."""
    if len(beginning) >= WHOLE_ID:
        return beginning
    orders = desk.call("GET", "/api/orders?status=OPEN&limit=500").get("orders", [])
    found = [str(each["cl_ord_id"]) for each in orders if str(each["cl_ord_id"]).startswith(beginning)]
    if len(found) > 1:
        raise Answered(
            f"{beginning} begins the ids of {len(found)} open orders; give more digits: {', '.join(found[:5])}"
        )
    return found[0] if found else beginning


def show_status(*, data: Path, url: str | None, json: bool) -> None:
    """What is so is printed."""
    desk = _Desk(data, url)
    status = desk.call("GET", "/api/status")
    positions = [each for each in desk.call("GET", "/api/positions")["positions"] if Decimal(each["qty"])]
    orders = desk.call("GET", "/api/orders?limit=5")["orders"]
    if json:
        say(jsonlib.dumps({"status": status, "positions": positions, "orders": orders}, indent=2))
        return
    needs = status.get("needs_you", [])
    which = WARN if needs else GOOD
    if status["status"] != "healthy" or status["halted"]:
        which = BAD if status["halted"] or status["status"] == "down" else WARN
    say(f"{mark(which)} {status['sentence']}")
    for each in needs:
        say(f"  {mark(WARN)} {each['title']}")
        say(f"    {each['text']}")
    say()
    table([[mark(_MARKS.get(each["status"], BAD)), each["name"], each["text"]] for each in status["components"]])
    if positions:
        say("\nPositions")
        table([_position(each) for each in positions], right=frozenset({3, 4, 5}))
    if orders:
        say("\nNewest orders")
        _show_orders(orders)


_MARKS = {"healthy": GOOD, "degraded": WARN, "down": BAD}


def _position(each: Mapping[str, Any]) -> list[str]:
    value, pnl = each["notional"], each["unrealised_pnl"]
    return [
        str(each["symbol"]),
        f"on {each['venue']}",
        str(each["sleeve"]),
        str(each["qty"]),
        f"{Decimal(value):,.2f}" if value is not None else "no price",
        f"{Decimal(pnl):+,.2f}" if pnl is not None else "",
    ]


def _show_orders(orders: Sequence[Mapping[str, Any]]) -> None:
    rows = []
    for each in orders:
        state = str(each["ord_status"]).lower().replace("_", " ")
        which = {"FILLED": GOOD, "DENIED": BAD, "REJECTED": BAD}.get(str(each["ord_status"]), NEUTRAL)
        if each.get("doubt") not in (None, "NONE"):
            which, state = WARN, f"in doubt ({each['doubt']})"
        side, symbol = str(each["side"]).lower(), str(each["symbol"])
        words = [mark(which), side, str(each["order_qty"]), symbol, f"on {each['venue']}", state]
        rows.append([*words, str(each["cl_ord_id"])[:12], each.get("text") or ""])
    table(rows, right=frozenset({2}))


def halt_desk(reason: str, *, data: Path, url: str | None, json: bool) -> None:
    """Trading is halted: by the file at once where the data directory is here, then through the desk if it answers."""
    if url is None:
        prepare_data_dir(data)
        write_halt_file(data / FILE_NAME, reason, "command line")
        if not json:
            say(f"{mark(BAD)} Trading is halted: {reason}")
    running = True
    try:
        _Desk(data, url).call("POST", "/api/halt", {"reason": reason})
    except Unreachable:
        if url is not None:
            raise
        running = False
    if json:
        say(jsonlib.dumps({"halted": True, "reason": reason, "running": running}, indent=2))
        return
    if url is not None:
        say(f"{mark(BAD)} Trading is halted: {reason}")
    if running:
        say("  Entries are being canceled; protective exits stay. `nightdesk resume` begins the way back.")
    else:
        say("  The desk is not running; it will start halted. `nightdesk resume` begins the way back once it runs.")


def resume_desk(confirm: str | None, *, data: Path, url: str | None, json: bool) -> None:
    """The first step prints a code; the second, with the code, trades again."""
    desk = _Desk(data, url)
    found = desk.call("POST", "/api/resume", {} if confirm is None else {"confirm": confirm})
    if json:
        say(jsonlib.dumps(found, indent=2))
    elif confirm is None:
        where = f" --url {url}" if url is not None else f" --data {data}" if data != Path("data") else ""
        say(f"{mark(WARN)} Trading is still halted. To trade again, within five minutes:")
        say(f"  nightdesk resume --confirm {found['confirm']}{where}")
    else:
        say(f"{mark(GOOD)} Trading goes on.")
