"""What a terminal gets of the log, and how a desk whose heart stops ends itself."""

import asyncio
import json
import logging
import signal
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nightdesk.app.process import HeartStopped, _until_told, _whether_told, signals
from nightdesk.app.terminal import desk_logs
from nightdesk.runtime.config import RuntimeConfig
from nightdesk.runtime.redact import Redactor
from nightdesk.runtime.secrets import Secret
from nightdesk.runtime.writer import Fenced

LOG = logging.getLogger("nightdesk.tests")


def speak(folder: Path, config: RuntimeConfig, *, quiet: bool) -> list[dict[str, Any]]:
    """The lines of the file after one line of each level."""
    redactor = Redactor()
    redactor.register(Secret("a-token-nobody-may-see-0001"))
    with desk_logs(config, redactor=redactor, directory=folder, quiet=quiet):
        LOG.info("desk.started", extra={"port": 1})
        LOG.warning("stream.broken", extra={"account_id": "far", "reason": "a-token-nobody-may-see-0001\n\x1b[2J"})
        LOG.error("store.unavailable")
    return [json.loads(line) for line in (folder / "nightdesk.log").read_text().splitlines()]


def test_a_quiet_terminal_gets_warnings_in_words_and_the_file_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = speak(tmp_path, RuntimeConfig(), quiet=True)
    assert [line["event"] for line in lines] == ["desk.started", "stream.broken", "store.unavailable"]
    first, second = capsys.readouterr().err.splitlines()
    assert first[:2] == "◆ "
    assert first[11:].startswith("stream.broken: account_id far, reason ")
    assert second[:2] == "▲ "
    assert second[11:] == "store.unavailable"
    assert "a-token-nobody-may-see" not in first
    assert "\x1b" not in first


def test_who_asks_for_a_format_gets_all_of_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = speak(tmp_path, RuntimeConfig(log_format="json"), quiet=True)
    assert [json.loads(line) for line in capsys.readouterr().err.splitlines()] == lines


def stub(*, lease: bool = True) -> Any:
    """As much of a desk as ends."""
    return SimpleNamespace(ended=Future(), writer=SimpleNamespace(holds_lease=lambda: lease))


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def test_a_heart_that_dies_ends_the_desk_with_its_error() -> None:
    core = stub()
    telling = asyncio.ensure_future(_until_told(core, _for_ever))
    await asyncio.sleep(0.01)
    core.ended.set_exception(ZeroDivisionError("a fault in the heart"))
    await asyncio.wait_for(telling, 5)
    with pytest.raises(ZeroDivisionError):
        _whether_told(core)


async def test_a_heart_that_stops_unasked_is_an_error_and_a_fence_says_so() -> None:
    for core, kind in ((stub(), HeartStopped), (stub(lease=False), Fenced)):
        telling = asyncio.ensure_future(_until_told(core, _for_ever))
        await asyncio.sleep(0.01)
        core.ended.set_result(None)
        await asyncio.wait_for(telling, 5)
        with pytest.raises(kind):
            _whether_told(core)


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
async def test_row_11_a_signal_ends_the_work_and_is_no_error(which: signal.Signals) -> None:
    core = stub()
    with signals(signal.SIG_IGN):
        telling = asyncio.ensure_future(_until_told(core, _for_ever))
        await asyncio.sleep(0.01)
        signal.raise_signal(which)
        await asyncio.wait_for(telling, 5)
        for each in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().remove_signal_handler(each)
    _whether_told(core)


def test_signals_are_put_back_as_they_were() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with signals(signal.SIG_IGN):
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) is before
