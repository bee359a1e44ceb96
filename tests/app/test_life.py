"""How a desk starts, refuses to start, and ends (rows 11, 55, 63; S31, S32, S39)."""

import json
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.app.desks import OPERATOR, WEBHOOK, Desk, desk, environment, wait_for


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def plain(folder: Path, config: str = "", **more: object) -> Desk:
    return Desk(folder, config=config, **more)  # type: ignore[arg-type]


def test_s39_the_first_start_makes_tokens_shows_them_once_and_keeps_everything_private(folder: Path) -> None:
    nameless = {"NIGHTDESK_WEBHOOK_TOKEN": "", "NIGHTDESK_OPERATOR_TOKEN": ""}
    one = plain(folder, env=nameless)
    one.start()
    try:
        said = (folder / "stdout").read_text()
        made = json.loads((one.data / "tokens.json").read_text())
        assert said.startswith(f"Nightdesk is ready: http://127.0.0.1:{one.port}\n")
        assert made["operator"] in said
        assert f"/api/webhook/{made['webhook']}" in said
        assert one.ask("GET", "/api/orders", headers={"Authorization": f"Bearer {made['operator']}"}).status == 200
        assert stat.S_IMODE(one.data.stat().st_mode) == 0o700
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in one.data.rglob("*") if path.is_file()}
        assert {path.name for path, mode in modes.items() if mode & 0o077} == set()
        assert one.stop() == 0
        one.start()
        assert made["operator"] not in (folder / "stdout").read_text()[len(said) :]
        logs = "".join(path.read_text() for path in (one.data / "logs").iterdir())
        assert made["operator"] not in logs
        assert made["webhook"] not in logs
    finally:
        one.end()


def test_row_63_a_second_desk_over_the_same_data_names_the_first_and_leaves_it_alone(many: Desk) -> None:
    assert many.process is not None
    before = {path.name: path.stat().st_ino for path in many.data.iterdir()}
    second = Desk(many.folder / "second", place=many.data, config=many.config)
    second.folder.mkdir(exist_ok=True)
    code, said = second.refused()
    assert (code, str(many.process.pid) in said) == (4, True), said
    assert many.ask("GET", "/api/health/ready").status == 200
    assert {path.name: path.stat().st_ino for path in many.data.iterdir()} == before


@pytest.mark.crash
def test_row_55_a_damaged_database_is_refused_with_the_way_to_restore_it(folder: Path) -> None:
    with desk(folder) as one:
        assert one.alert({"symbol": "BTC-USD", "side": "buy", "size": "0.001"}, wait="5").status == 200
        assert one.stop() == 0
        path = one.data / "nightdesk.db"
        whole = path.read_bytes()
        size = 4096
        for page in range(2, len(whole) // size):
            path.write_bytes(whole[: page * size] + b"\xa5" * 2000 + whole[page * size + 2000 :])
            if _broken(path):
                break
        code, said = one.refused()
        assert code == 5, said
        assert str(path) in said
        assert "backup" in said.lower()
        damaged = path.read_bytes()
        one.refused()
        assert path.read_bytes() == damaged


def _broken(path: Path) -> bool:
    connection = sqlite3.connect(path)
    try:
        return bool(connection.execute("PRAGMA integrity_check").fetchone()[0] != "ok")
    except sqlite3.DatabaseError:
        return True
    finally:
        connection.close()


WRONG = [
    ("a misspelt key", "[web]\nprot = 80\n", ["web.prot", "desk.toml:2", "web.port"]),
    ("a wrong value", "[web]\nport = 70000\n", ["web.port", "desk.toml:2"]),
    ("an unknown table", "[wep]\nport = 80\n", ["wep", "desk.toml"]),
    ("a venue that is not there", '[hooks.a]\nvenues = ["nowhere"]\n', ["hooks.a.venues", "desk.toml:2", "nowhere"]),
    ("an unknown kind", '[venues.a]\nkind = "papre"\n', ["venues.a.kind", "desk.toml:2", "paper, manual"]),
    ("no TOML", "[web\nport = 1\n", ["desk.toml:1"]),
    ("a public bind", '[web]\nhost = "0.0.0.0"\n', ["web.host", "desk.toml:2", "tls_certificate"]),
    ("a market that is not there", '[market]\nsource = "nothing.parquet"\n', ["market.source", "nothing.parquet"]),
    (
        "a certificate that is not there",
        '[web]\ntls_certificate = "a.pem"\ntls_key = "b.pem"\n',
        ["web.tls_certificate", "a.pem"],
    ),
]


@pytest.mark.parametrize(("config", "words"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_s31_s32_wrong_settings_refuse_to_start_and_name_key_file_and_line(
    folder: Path, config: str, words: list[str]
) -> None:
    one = plain(folder, config)
    code, said = one.refused()
    assert code == 3, said
    assert [word for word in words if word not in said] == [], said


def test_s31_an_unknown_variable_refuses_to_start_by_name(folder: Path) -> None:
    code, said = plain(folder, env={"NIGHTDESK_WEB__PROT": "80"}).refused()
    assert (code, "NIGHTDESK_WEB__PROT" in said) == (3, True), said


def test_s31_a_weak_or_shared_token_refuses_to_start_without_repeating_it(folder: Path) -> None:
    code, said = plain(folder, env={"NIGHTDESK_OPERATOR_TOKEN": "short-one"}).refused()
    assert (code, "NIGHTDESK_OPERATOR_TOKEN" in said, "short-one" in said) == (3, True, False), said
    code, said = plain(folder, env={"NIGHTDESK_OPERATOR_TOKEN": WEBHOOK}).refused()
    assert (code, WEBHOOK in said) == (3, False), said


def test_a_port_that_is_taken_is_named_with_the_way_out(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "nightdesk", "run", "--data", "data", "--port", str(port)]
        done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=30)
    assert done.returncode == 3, done.stderr
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr


def test_a_data_directory_that_cannot_be_made_is_named(folder: Path) -> None:
    (folder / "file").write_text("")
    code, said = plain(folder, place=folder / "file" / "data").refused()
    assert (code, str(folder / "file") in said) == (3, True), said


def test_row_63_a_desk_that_was_killed_is_not_in_the_way(folder: Path) -> None:
    with desk(folder) as one:
        one.kill()
        one.start()
        assert one.ask("GET", "/api/health/ready").status == 200


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_row_11_a_stop_with_orders_in_flight_is_clean_and_so_is_the_next_start(folder: Path, how: int) -> None:
    with desk(folder) as one:
        taken: list[str] = []

        def keep_sending(sender: int) -> None:
            for number in range(10_000):
                body = {"symbol": "BTC-USD", "side": ("buy", "sell")[number % 2], "size": "0.001"}
                try:
                    answer = one.alert({**body, "id": f"{sender}-{number}"})
                except OSError:
                    return
                if answer.status == 202:
                    taken.append(answer.signal_id)

        with ThreadPoolExecutor(4) as threads:
            for sender in range(4):
                threads.submit(keep_sending, sender)
            wait_for(lambda: len(taken) > 50, "orders in flight")
            began = time.monotonic()
            assert one.process is not None
            one.process.send_signal(how)
            assert one.process.wait(10) == 0
            assert time.monotonic() - began < 5
        assert not (one.data / "address").exists()
        one.start()
        assert one.ask("GET", "/api/health/ready").status == 200
        for signal_id in taken:
            (order,) = one.ended(signal_id)
            assert (order["doubt"], order["ord_status"] in ("FILLED", "EXPIRED", "DENIED")) == ("NONE", True), order
        status = one.get("/api/status")
        assert (status["status"], status["today"]["in_doubt"]) == ("healthy", 0)
        filled = _signed(one)
        assert float(one.held("tradingview").get(("paper", "BTC-USD"), "0")) == pytest.approx(filled)


def _signed(one: Desk) -> float:
    total, path = 0.0, "/api/executions?limit=500"
    while True:
        page = one.get(path)
        total += sum(float(each["last_qty"]) * (1 if each["side"] == "BUY" else -1) for each in page["executions"])
        if not page["next"]:
            return total
        path = f"/api/executions?limit=500&cursor={page['next']}"


def test_a_stop_while_a_page_is_open_and_a_sender_waits_takes_seconds_at_most(folder: Path) -> None:
    config = '[venues.hand]\nkind = "manual"\n'
    with desk(folder, config) as one, ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(one.alert, {"symbol": "BTC-USD", "side": "buy", "size": "0.001"}, wait="30")
        with socket.create_connection(("127.0.0.1", one.port)) as page:
            head = f"GET /stream HTTP/1.1\r\nHost: 127.0.0.1:{one.port}\r\nAuthorization: Bearer {OPERATOR}\r\n\r\n"
            page.sendall(head.encode())
            assert b"200" in page.recv(200)
            wait_for(lambda: one.get("/api/orders")["orders"], "the order to be there")
            began = time.monotonic()
            assert one.stop() == 0
            assert time.monotonic() - began < 7
        assert waiting.exception() is not None or waiting.result().status in (200, 202, 500, 503)


def test_logs_hold_no_token_and_name_each_request_that_failed(many: Desk) -> None:
    many.ask("POST", "/api/webhook/some-wrong-token-that-is-not-to-be-logged", b"{}")
    many.alert("nonsense for the log")
    path = many.data / "logs" / "nightdesk.log"
    wait_for(lambda: path.exists() and "request" in path.read_text(), "the log to be written")
    text = path.read_text()
    assert "some-wrong-token" not in text
    assert WEBHOOK not in text
    assert OPERATOR not in text
    assert all(json.loads(line)["level"] for line in text.splitlines())


def test_an_older_copy_of_the_data_can_be_put_back(folder: Path) -> None:
    """What recovery.md says: stop, put the copy back, start; what the copy does not know comes from the venue."""
    with desk(folder) as one:
        first = one.alert({"symbol": "BTC-USD", "side": "buy", "size": "0.001", "id": "first"}, wait="10")
        assert one.stop() == 0
        assert not (one.data / "nightdesk.db-wal").exists()
        shutil.copy(one.data / "nightdesk.db", folder / "copy.db")
        one.start()
        one.alert({"symbol": "BTC-USD", "side": "buy", "size": "0.002", "id": "second"}, wait="10")
        assert one.stop() == 0
        shutil.copy(folder / "copy.db", one.data / "nightdesk.db")
        one.start()
        (order,) = one.ended(first.signal_id)
        assert order["ord_status"] == "FILLED"
        (account,) = one.get("/api/accounts")["accounts"]
        assert (account["state"], bool(re.search("BTC-USD", account["state_reason"]))) == ("REDUCING", True), account
