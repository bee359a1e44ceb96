"""Every command as a person meets it: what it says, in a pipe and at a terminal, and how it ends."""

import contextlib
import json
import os
import pty
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.conftest import TABLE
from tests.app.desks import OPERATOR, Desk, desk, environment

COMMANDS = (
    "demo", "run", "paper", "order", "cancel", "status", "halt", "resume", "explain", "doctor", "config show",
    "audit verify",
)  # fmt: skip
HEAVY = {
    "fastapi",
    "starlette",
    "sqlalchemy",
    "alembic",
    "ccxt",
    "httpx2",
    "structlog",
    "pydantic",
    "uvicorn",
    "jinja2",
}


def nightdesk(*words: str, folder: Path | None = None, **env: str) -> "subprocess.CompletedProcess[str]":
    """The command has ended; it never speaks in tracebacks."""
    done = subprocess.run(
        [sys.executable, "-m", "nightdesk", *words],
        cwd=folder,
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk that runs, with a position."""
    with desk(Path(tmp_path_factory.mktemp("running")), TABLE) as one:
        one.alert({"symbol": "EURUSD", "side": "sell", "size": "1000"}, hook="own", wait="10")
        yield one


@contextlib.contextmanager
def needing_a_person(running: Desk) -> Iterator[None]:
    """An order waits for a person meanwhile."""
    asked = running.alert({"symbol": "ETH-USD", "side": "buy", "size": "0.1", "id": secrets.token_hex(8)}, hook="held")
    order = asked.fields["orders"][0]["cl_ord_id"]
    yield
    assert running.api("POST", f"/api/orders/{order}/settle", {"action": "decline"}).status == 200


def test_help_lists_every_command_in_one_line_each() -> None:
    done = nightdesk("--help", COLUMNS="80")
    assert (done.returncode, done.stderr) == (0, "")
    assert "..." not in done.stdout.partition("Commands:")[2]
    assert max(map(len, done.stdout.splitlines())) <= 80
    for command in COMMANDS:
        assert f"\n  {command.split()[0]} " in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(command: str) -> None:
    done = nightdesk(*command.split(), "--help", COLUMNS="80")
    assert (done.returncode, done.stderr) == (0, "")
    first = done.stdout.splitlines()[2].strip()
    assert re.match(r"[A-Z].*\w", first)
    # Every option says what it is for, and none shows the type it has in Python.
    assert not re.search(r"<(path|int|str|float|list)\b", done.stdout.partition("Options:")[2])
    for line in done.stdout.partition("Options:")[2].splitlines():
        assert not re.fullmatch(r"  --[a-z]+( [A-Z]+)?", line), line


def test_help_and_version_load_nothing_heavy() -> None:
    code = "import sys; sys.argv = ['nightdesk', '--help']\nfrom nightdesk.__main__ import main\n"
    code += "try: main()\nexcept SystemExit: pass\n"
    code += "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), timeout=30)
    assert set(done.stderr.split()) & HEAVY == set()
    assert re.fullmatch(r"nightdesk \d+\.\d+\.\d+\n", nightdesk("--version").stdout)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nonsense"], 2, "No such command 'nonsense'"),
        (["run", "--port", "x"], 2, "--port"),
        (["run", "--port", "70000"], 2, "--port"),
        (["paper", "--loss", "3"], 2, "--loss"),
        (["order", "buy"], 2, "SYMBOL"),
        (["run", "--config", "nope.toml"], 3, "nope.toml: there is no such file"),
        (["run", "--market", "nope.csv"], 3, "nope.csv"),
        (["status"], 6, "No desk runs over data. Start one with `nightdesk run --data data`"),
        (["cancel", "abc"], 6, "No desk runs over data."),
        (["order", "buy", "BTC-USD", "1"], 6, "No desk runs over data."),
        (["resume"], 6, "No desk runs over data."),
        (["status", "--url", "nonsense"], 6, "nonsense is no address of a desk"),
        (["status", "--url", "http://127.0.0.1:1"], 6, "does not answer"),
        (["status", "--url", "http://desk.example"], 6, "the token could be read"),
        (["explain", "abc"], 5, "There is no desk's database in data."),
        (["audit", "verify"], 5, "There is no desk's database in data."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_what_cannot_be_done_is_one_sentence_and_a_stable_exit_code(
    tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    done = nightdesk(*words, folder=tmp_path)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == [] or words[0] == "run"


def test_a_remote_desk_needs_its_token_from_the_environment(tmp_path: Path) -> None:
    done = nightdesk("status", "--url", "http://127.0.0.1:1", folder=tmp_path, NIGHTDESK_OPERATOR_TOKEN="")
    assert (done.returncode, "NIGHTDESK_OPERATOR_TOKEN" in done.stderr) == (3, True)


def test_status_says_first_what_is_so_and_what_needs_a_person(running: Desk) -> None:
    with needing_a_person(running):
        done = running.command_line("status")
    assert done.returncode == 0
    first, *rest = done.stdout.splitlines()
    assert re.fullmatch(r"◆ One order needs you\. Everything else is running\.", first)
    assert rest[0] == "  ◆ May the desk buy 0.1 ETH-USD on paper?"
    assert re.search(r"^  ● +database +reads and writes$", done.stdout, re.MULTILINE)
    assert re.search(r"^  EUR-USD +on paper +own +-1000 +[\d,]+\.\d\d +[+-]\d+\.\d\d$", done.stdout, re.MULTILINE)
    assert "\x1b" not in done.stdout
    assert OPERATOR not in done.stdout


def test_status_over_an_address_is_the_same_desk(running: Desk) -> None:
    url = f"http://127.0.0.1:{running.port}"
    there, here = nightdesk("status", "--url", url, "--json"), running.command_line("status", "--json")
    ids = [[each["cl_ord_id"] for each in json.loads(done.stdout)["orders"]] for done in (there, here)]
    assert ids[0] == ids[1] != []
    wrong = nightdesk("status", "--url", url, NIGHTDESK_OPERATOR_TOKEN="another-operator-token-0003")
    assert (wrong.returncode, "[INVALID_TOKEN]" in wrong.stderr or "[SIGN_IN_REQUIRED]" in wrong.stderr) == (1, True)


def test_an_order_by_hand_is_accepted_once_and_its_story_told(running: Desk) -> None:
    words = ("order", "buy", "BTC-USD", "0.001", "--venue", "paper", "--id", "typed")
    first, again = running.command_line(*words), running.command_line(*words)
    assert (first.returncode, again.returncode) == (0, 0)
    accepted = re.match(r"● Accepted as signal (\w+)\.\n  ○  buy  0\.001  BTC-USD  on paper", first.stdout)
    assert accepted, first.stdout
    assert again.stdout.startswith(f"○ That id was taken before, as signal {accepted[1]}. Nothing was sent again.\n")
    (order,) = running.ended(accepted[1])
    story = running.command_line("explain", order["cl_ord_id"][:10]).stdout
    assert story.startswith("Bought 0.001 BTC-USD on paper at "), story
    fields = json.loads(running.command_line("explain", order["cl_ord_id"], "--json").stdout)
    assert fields["signal"]["explicit_id"] == "typed"


def test_an_order_the_gate_denies_ends_in_the_reason_its_code_and_the_next_step(running: Desk) -> None:
    done = running.command_line("order", "buy", "BTC-USD", "5", "--venue", "paper")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.match(
        r"▲ Not done: order value: .*the limit is 25000 \[MAX_ORDER_NOTIONAL\]\n  Use a smaller", done.stderr
    )
    assert running.command_line("order", "up", "BTC-USD", "1").returncode == 1
    assert "[UNKNOWN_SYMBOL]" in running.command_line("order", "buy", "NOPE", "1").stderr


def test_an_order_is_canceled_by_the_first_digits_of_its_id(running: Desk) -> None:
    placed = running.command_line("order", "buy", "BTC-USD", "0.01", "--price", "60000", "--venue", "paper", "--json")
    order = json.loads(placed.stdout)["orders"][0]
    done = running.command_line("cancel", order["cl_ord_id"][:9])
    assert (done.returncode, order["cl_ord_id"] in done.stdout) == (0, True), done.stderr
    (ended,) = running.ended(order["signal_id"])
    assert ended["ord_status"] == "CANCELED"
    late = running.command_line("cancel", order["cl_ord_id"])
    assert (late.returncode, "[ORDER_ENDED]" in late.stderr) == (1, True)
    unknown = running.command_line("cancel", "zz")
    assert (unknown.returncode, "[UNKNOWN_ORDER]" in unknown.stderr) == (1, True)


def test_halt_and_resume_in_two_steps(running: Desk) -> None:
    done = running.command_line("halt", "--reason", "a test")
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "▲ Trading is halted: a test")
    assert running.command_line("status").stdout.startswith("▲ Trading is halted")
    first = running.command_line("resume")
    code = re.search(r"nightdesk resume --confirm (\w+) --data ", first.stdout)
    assert code, first.stdout
    assert running.command_line("resume", "--confirm", "WRONG").returncode == 1
    again = json.loads(running.command_line("resume", "--json").stdout)["confirm"]
    assert running.command_line("resume", "--confirm", again).stdout == "● Trading goes on.\n"
    assert running.command_line("resume").returncode == 1


def test_a_halt_with_the_desk_down_holds_at_the_next_start(tmp_path: Path) -> None:
    done = nightdesk("halt", "--reason", "going to bed", "--data", str(tmp_path / "data"))
    assert (done.returncode, "will start halted" in done.stdout) == (0, True)
    assert json.loads(nightdesk("halt", "--json", "--data", str(tmp_path / "data")).stdout)["running"] is False
    with desk(tmp_path) as one:
        assert "HALTED" in one.words()
        assert one.alert({"symbol": "BTC-USD", "side": "buy", "size": "0.001"}).code == "HALTED"


def test_settings_are_shown_with_their_source_and_without_secrets(tmp_path: Path) -> None:
    (tmp_path / "desk.toml").write_text('[runtime]\ndatabase = "postgresql://user:hidden@host/name"\n[web]\nport = 9\n')
    done = nightdesk("config", "show", "--config", "desk.toml", folder=tmp_path, NIGHTDESK_WEB__RATE_BURST="7")
    assert re.match(r"\d+ settings, 3 of them changed\. Version [0-9a-f]{12}\.\n", done.stdout)
    assert re.search(r"^  web\.port +9 +desk\.toml:4$", done.stdout, re.MULTILINE)
    assert re.search(r"^  web\.rate_burst +7 +NIGHTDESK_WEB__RATE_BURST$", done.stdout, re.MULTILINE)
    assert "hidden" not in done.stdout
    lines = json.loads(nightdesk("config", "show", "--json", folder=tmp_path).stdout)
    assert {"key": "web.port", "value": "8646", "source": "default"} in lines


def test_the_audit_is_verified_in_words_and_as_json(running: Desk) -> None:
    assert re.match(
        r"● The audit chain is whole: \d+ lines, the newest of ", running.command_line("audit", "verify").stdout
    )
    assert json.loads(running.command_line("audit", "verify", "--json").stdout)["whole"] is True


def test_an_output_that_is_cut_short_is_no_error() -> None:
    command = f"{sys.executable} -m nightdesk config show | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment(), timeout=30)
    assert done.stderr == ""


def at_a_terminal(*words: str, **env: str) -> str:
    """What a terminal gets to see of a command."""
    script = "import sys; sys.argv = ['nightdesk', *sys.argv[1:]]; from nightdesk.__main__ import main; main()"
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", script, *words], stdin=follower, stdout=follower, stderr=follower, env=environment(**env)
    ) as process:
        os.close(follower)
        seen = b""
        while True:
            try:
                part = os.read(leader, 65_536)
            except OSError:
                break
            if not part:
                break
            seen += part
        process.wait(30)
    os.close(leader)
    return seen.decode()


def test_a_terminal_gets_colours_and_the_same_words(running: Desk) -> None:
    with needing_a_person(running):
        plain = running.command_line("status").stdout.splitlines()[0]
        coloured = at_a_terminal("status", "--data", str(running.data), NO_COLOR="").splitlines()[0]
    assert "\x1b[33m◆\x1b[0m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain
    assert "\x1b" not in at_a_terminal("status", "--data", str(running.data), NO_COLOR="1")


def test_a_failure_at_a_terminal_is_red_and_one_sentence(tmp_path: Path) -> None:
    seen = at_a_terminal("status", "--data", str(tmp_path), NO_COLOR="")
    assert seen.startswith("\x1b[31m▲\x1b[0m No desk runs over ")
    assert len(seen.splitlines()) == 1
