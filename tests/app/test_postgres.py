"""The same desk over PostgreSQL: take, fill, duplicate, restart, one desk at a time (K3, rows 53, 63, 72)."""

import secrets
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.app.desks import Desk, desk, wait_for
from tests.databases import Postgres

pytestmark = pytest.mark.postgres
BUY = {"symbol": "BTC-USD", "side": "buy", "size": "0.001"}


def _database_url(server: str, name: str) -> str:
    """The URL with another database in it; what stands behind `?` stays."""
    head, mark, rest = server.partition("?")
    return f"{head.rpartition('/')[0]}/{name}{mark}{rest}"


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """An empty database of the test's own, and its URL."""
    server, name = postgres.required(), f"nightdesk_test_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield _database_url(server, name)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def over(folder: Path, url: str) -> Desk:
    folder.mkdir()
    return Desk(folder, env={"NIGHTDESK_RUNTIME__DATABASE": url})


def test_k3_row_72_an_alert_is_taken_filled_and_known_again_after_kill_9(tmp_path: Path, database: str) -> None:
    with desk(tmp_path, env={"NIGHTDESK_RUNTIME__DATABASE": database}) as one:
        assert one.get("/api/health")["status"] == "healthy"
        first = one.alert({**BUY, "id": "over postgres"}, wait="10")
        assert (first.status, first.fields["status"]) == (200, "success")
        assert one.alert({**BUY, "id": "over postgres"}).code == "DUPLICATE_SIGNAL"
        assert not (one.data / "nightdesk.db").exists()
        one.kill()
        one.start()
        again = one.alert({**BUY, "id": "over postgres"})
        assert (again.status, again.signal_id) == (200, first.signal_id)
        assert one.held("tradingview") == {("paper", "BTC-USD"): "0.001"}
        assert one.command_line("audit", "verify").returncode == 0
        assert one.command_line("explain", first.fields["results"][0]["cl_ord_id"][:10]).returncode == 0
        assert one.stop() == 0
        assert database not in one.words()


def test_row_63_a_second_desk_on_one_database_is_fenced_until_the_first_has_gone(tmp_path: Path, database: str) -> None:
    first, second = over(tmp_path / "first", database), over(tmp_path / "second", database)
    try:
        first.start()
        code, said = second.refused()
        assert (code, "database" in said) == (4, True), said
        # The paper exchange of each desk is in its own folder, so only what trades nothing is the same for both.
        idle = {**BUY, "heartbeat": True, "id": "seen by the first"}
        assert first.alert(idle).code == "NO_ACTION"
        assert first.stop() == 0
        second.start()
        assert "NO_ACTION" in {each["outcome"] for each in second.get("/api/signals")["signals"]}
        assert second.alert({**BUY, "id": "second desk"}).status == 202
    finally:
        first.end()
        second.end()


@pytest.mark.crash
def test_row_63_a_desk_that_was_killed_is_not_in_the_way_for_long(tmp_path: Path, database: str) -> None:
    first, second = over(tmp_path / "first", database), over(tmp_path / "second", database)
    try:
        first.start()
        first.kill()
        codes = set()
        wait_for(lambda: codes.add(_start(second)) or 0 in codes, "the killed desk's place to be free", seconds=30)
        assert codes <= {0, 4}
        assert second.alert(BUY, wait="10").fields["status"] == "success"
    finally:
        first.end()
        second.end()


@pytest.mark.crash
def test_row_63_a_desk_that_slept_while_another_took_over_stops_and_says_so(tmp_path: Path, database: str) -> None:
    first, second = over(tmp_path / "first", database), over(tmp_path / "second", database)
    try:
        first.start()
        assert first.process is not None
        first.process.send_signal(signal.SIGSTOP)
        wait_for(lambda: _start(second) == 0, "the sleeping desk's place to be free", seconds=30)
        first.process.send_signal(signal.SIGCONT)
        assert first.process.wait(20) == 4
        assert "another process has taken over" in first.words()
        assert second.alert(BUY, wait="10").fields["status"] == "success"
    finally:
        first.end()
        second.end()


def _start(one: Desk) -> int:
    """0 when the desk runs, else the exit code of the start."""
    try:
        one.start()
    except AssertionError:
        assert one.process is not None
        return one.process.returncode
    return 0


def test_row_53_a_database_that_turns_read_only_is_answered_with_503_and_recovers(
    tmp_path: Path, database: str
) -> None:
    name = database.rpartition("/")[2].partition("?")[0]

    def turn(read_only: str) -> None:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            statement = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}")
            connection.execute(statement.format(sql.Identifier(name), sql.SQL(read_only)))
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
                (name,),
            )

    with desk(tmp_path, env={"NIGHTDESK_RUNTIME__DATABASE": database}) as one:
        assert one.alert({**BUY, "id": "before"}, wait="10").fields["status"] == "success"
        turn("on")
        answer = one.alert({**BUY, "id": "during"})
        assert (answer.status, answer.code) == (503, "STORE_UNAVAILABLE")
        assert int(answer.headers["retry-after"]) >= 1
        turn("off")
        wait_for(lambda: one.ask("GET", "/api/health/ready").status == 200, "the desk to recover", seconds=30)
        wait_for(lambda: one.alert({**BUY, "id": "during"}).status in (200, 202), "alerts to be taken", seconds=30)
        wait_for(lambda: one.held("tradingview") == {("paper", "BTC-USD"): "0.002"}, "both to be filled")
        assert one.get("/api/status")["today"]["in_doubt"] == 0
