"""Log lines: their shape, their way to file and terminal, and what must never be in them (B15, W12, row 95, S25)."""

import asyncio
import io
import json
import logging
import sys
import threading
import urllib.parse
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import nightdesk.runtime.logging as logs_module
from nightdesk.runtime.config import RuntimeConfig
from nightdesk.runtime.log_file import LogFile
from nightdesk.runtime.logging import Logs, bound, open_logs
from nightdesk.runtime.redact import MASK, Redactor
from nightdesk.runtime.secrets import Secret

CANARY = "Canary/7Jw2+mQx9=Canary"
"""With the signs that are spelled otherwise in URLs."""
log = logging.getLogger("nightdesk.test")


class Desk:
    """Open logs and what they wrote."""

    def __init__(self, directory: Path, form: str = "json", level: str = "debug", **more: Any) -> None:
        self.stream = io.StringIO()
        self.directory = directory
        self.redactor = Redactor()
        self.redactor.register(Secret(CANARY))
        config = RuntimeConfig(log_format=form, log_level=level, **more)  # type: ignore[arg-type]
        self.logs: Logs = open_logs(config, redactor=self.redactor, directory=directory, stream=self.stream)

    def text(self) -> str:
        self.logs.close()
        return self.stream.getvalue()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]

    def file(self) -> str:
        self.logs.close()
        return (self.directory / "nightdesk.log").read_text()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    made = Desk(tmp_path / "logs")
    yield made
    made.logs.close()


def test_a_line_has_time_level_logger_event_and_the_fields_b15(desk: Desk):
    with bound(correlation_id="c-1"):
        log.info("order %s sent", 7, extra={"venue": "paper", "qty": 3})
    (line,) = desk.lines()
    assert datetime.fromisoformat(line.pop("timestamp")).utcoffset() == timedelta(0)
    expected = {"level": "info", "logger": "nightdesk.test", "event": "order 7 sent"}
    assert line == {**expected, "correlation_id": "c-1", "venue": "paper", "qty": 3}


def test_file_and_terminal_get_the_same_lines_b15(desk: Desk):
    log.warning("one")
    assert desk.file() == desk.text() != ""
    assert (desk.directory / "nightdesk.log").stat().st_mode & 0o777 == 0o600


async def test_the_correlation_id_follows_tasks_and_leaves_with_its_block_b15(desk: Desk):
    async def work(name: str) -> None:
        with bound(correlation_id=name):
            await asyncio.sleep(0)
            log.info(name)
            await asyncio.create_task(deeper(name))

    async def deeper(name: str) -> None:
        log.info(name)

    await asyncio.gather(work("a"), work("b"))
    log.info("outside")
    lines = desk.lines()
    assert all(line.get("correlation_id", "outside") == line["event"] for line in lines)
    assert len(lines) == 5


def test_a_field_never_takes_the_place_of_a_fixed_one(desk: Desk):
    with bound(event="x"):
        log.info("real", extra={"level": "fake", "timestamp": "fake", "exception": "fake"})
    (line,) = desk.lines()
    assert (line["event"], line["level"], line["event_"], line["level_"]) == ("real", "info", "x", "fake")
    assert line["exception_"] == "fake"


class Talkative:
    def __repr__(self) -> str:
        return f"Talkative({CANARY})"


class Broken:
    def __str__(self) -> str:
        raise RuntimeError(CANARY)


def raised(error: Exception) -> Exception:
    try:
        try:
            raise ValueError(f"inner {CANARY}")
        except ValueError as e:
            error.add_note(f"noted {CANARY}")
            raise error from e
    except Exception as e:  # noqa: BLE001 - whatever was asked for
        return e


QUOTED = urllib.parse.quote(CANARY, safe="")
OTHER = "Unregistered0Value"
PATHS: list[Callable[[], object]] = [
    lambda: log.info("message " + CANARY),
    lambda: log.info("argument %s and %r", CANARY, {"deep": [CANARY]}),
    lambda: log.info("dict %(a)s", {"a": CANARY}),
    lambda: log.info("extra", extra={"venue_text": CANARY}),
    lambda: log.info("nested", extra={"body": {"a": [{"b": (CANARY, {CANARY})}], CANARY: 1}}),
    lambda: log.info("bytes", extra={"body": CANARY.encode(), "args_too": bytearray(CANARY.encode())}),
    lambda: log.info("object", extra={"thing": Talkative(), "broken": Broken()}),
    lambda: log.info("secret", extra={"thing": Secret(CANARY), "more": [Secret(CANARY)]}),
    lambda: log.info("url http://desk/api/webhook/%s?x=1", QUOTED),
    lambda: log.info("header " + __import__("base64").b64encode(CANARY.encode()).decode()),
    lambda: log.error("error", exc_info=raised(RuntimeError(CANARY))),
    lambda: log.error("error as a field", extra={"error": raised(RuntimeError(CANARY))}),
    lambda: log.error("error as an argument: %s", raised(RuntimeError(CANARY))),
    lambda: log.error("group", exc_info=ExceptionGroup(CANARY, [ValueError(CANARY)])),
    lambda: log.info("stack " + CANARY, stack_info=True),
    lambda: log.info("wrong arguments %s %s", CANARY),
    lambda: log.info("wrong type %d", CANARY),
    lambda: logging.getLogger("uvicorn.error").info("path /api/webhook/%s", CANARY),
    lambda: logging.getLogger("sqlalchemy.engine").warning("parameters %s", {"x": CANARY}),
    lambda: logging.getLogger("a.library").error("oops %s", CANARY),
    lambda: logging.getLogger(CANARY).error("a name"),
    lambda: warnings.warn_explicit(f"deprecated {CANARY}", UserWarning, "f.py", 1),
]


@pytest.mark.parametrize("number", range(len(PATHS)))
@pytest.mark.parametrize("form", ["json", "pretty"])
@pytest.mark.filterwarnings("default::UserWarning")
def test_a_registered_secret_is_in_no_line_whatever_way_it_came_row_95(
    tmp_path: Path, number: int, form: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    desk = Desk(tmp_path, form)
    with bound(correlation_id="c"):
        PATHS[number]()
    everything = desk.text() + desk.file() + "".join(capfd.readouterr())
    spelled = (CANARY, QUOTED, urllib.parse.quote_plus(CANARY), "Q2FuYXJ5LzdKdzIrbVF4OT1DYW5hcnk", "7Jw2", "mQx9")
    assert all(each not in everything for each in spelled)
    assert len(desk.file().splitlines()) == 1


@pytest.mark.parametrize("form", ["json", "pretty"])
def test_the_line_itself_is_still_there(tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    desk = Desk(tmp_path, form)
    log.error("order refused", extra={"venue": "paper", "token": OTHER}, exc_info=raised(RuntimeError("no funds")))
    text = desk.text()
    for kept in ("order refused", "paper", "RuntimeError: no funds", "ValueError: inner", MASK, "Traceback"):
        assert kept in text
    assert OTHER not in text


def test_depth_and_strange_values_do_not_break_a_line(desk: Desk):
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep]
    ring: dict[str, Any] = {}
    ring["self"] = ring
    log.info("strange", extra={"deep": deep, "ring": ring, "nan": float("nan"), "big": 10**5000, 5: "five"})
    log.info("next")
    lines = desk.lines()
    assert lines[-1]["event"] == "next"
    assert len(lines) == 2


@pytest.mark.parametrize("form", ["json", "pretty"])
def test_control_characters_cannot_fake_a_line_or_drive_the_terminal_s25(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    desk = Desk(tmp_path, form)
    evil = 'a\r\n{"level":"info","event":"fake"}\x1b[2J\x07\x85\u2028\u202eb\x00'
    log.info(evil, extra={"field": evil, "list": [evil], "map": {evil: evil}})
    log.error("failed", exc_info=RuntimeError(evil))
    text = desk.text() + desk.file()
    for sign in "\r\x1b\x07\x85\u2028\u202e\x00":
        assert sign not in text
    starts = [line for line in text.split("\n") if line and not line.startswith("    | ")]
    assert len(starts) == 4
    assert not any(line.startswith('{"level"') for line in text.split("\n"))


def test_pretty_is_for_terminals_and_json_for_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stream, first in ((io.StringIO(), "{"), (Terminal(), "\x1b")):
        with open_logs(RuntimeConfig(), redactor=Redactor(), stream=stream):
            log.info("hello")
        assert stream.getvalue().startswith(first)


def test_levels_hold_for_us_and_libraries_speak_from_warning_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    desk = Desk(tmp_path, level="warning")
    log.info("quiet")
    log.warning("loud")
    logging.getLogger("httpx2").info("quiet")
    logging.getLogger("uvicorn.access").info("quiet")
    logging.getLogger("uvicorn.error").info("loud")
    assert [line["event"] for line in desk.lines()] == ["loud", "loud"]


def test_closing_puts_logging_back_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    root = logging.getLogger()
    before = (list(root.handlers), root.level, threading.excepthook)
    Desk(tmp_path).logs.close()
    assert (list(root.handlers), root.level, threading.excepthook) == before


def test_a_dying_thread_and_an_error_nobody_catches_are_logged_without_secrets_row_95(desk: Desk):
    def die() -> None:
        raise RuntimeError(CANARY)

    thread = threading.Thread(target=die, name="heart")
    thread.start()
    thread.join()
    error = raised(RuntimeError(CANARY))
    sys.excepthook(type(error), error, error.__traceback__)
    dead, last = desk.lines()
    assert (dead["event"], dead["thread_name"], last["event"]) == ("a thread died", "heart", "stopped by an error")
    assert "RuntimeError" in last["exception"]
    assert CANARY not in desk.text() + desk.file()


def test_after_closing_last_words_are_still_without_secrets_row_95(desk: Desk):
    desk.logs.close()
    error = raised(RuntimeError(CANARY))
    sys.excepthook(type(error), error, error.__traceback__)
    assert "RuntimeError" in desk.text()
    assert CANARY not in desk.text()


def test_ctrl_c_is_left_to_python(desk: Desk, capsys: pytest.CaptureFixture[str]):
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert "KeyboardInterrupt" in capsys.readouterr().err
    assert desk.text() == ""


def test_more_lines_than_fit_are_dropped_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(logs_module, "QUEUE_LENGTH", 3)
    gate = threading.Event()

    class Slow(io.StringIO):
        def write(self, text: str) -> int:
            gate.wait()
            return super().write(text)

    stream = Slow()
    with open_logs(RuntimeConfig(log_format="json"), redactor=Redactor(), stream=stream) as logs:
        for number in range(50):
            log.info("%d", number)
        dropped = logs.dropped
        assert dropped >= 46
        gate.set()
    assert f"{dropped} log lines were lost" in stream.getvalue()


def test_a_full_disk_is_said_once_and_the_terminal_goes_on(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    def full(self: LogFile, line: str, at: datetime) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(LogFile, "write", full)
    log.info("one")
    log.info("two")
    events = [line["event"] for line in desk.lines()]
    assert events == [
        "the log file cannot be written: No space left on device; lines go to the terminal alone",
        "one",
        "two",
    ]


def test_a_closed_terminal_does_not_stop_the_file(desk: Desk):
    desk.stream.close()
    log.info("one")
    assert "one" in desk.file()
