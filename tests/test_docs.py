"""The guides keep their word: links lead somewhere, settings load, alerts are read, commands and codes exist."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from nightdesk.cli import words
from nightdesk.cli.commands import app
from nightdesk.settings import known_keys, load
from nightdesk.sources.tradingview.forms import JSON_FORMS, TEXT_FORMS
from nightdesk.sources.tradingview.messages import MESSAGES
from nightdesk.sources.tradingview.parse import parse
from nightdesk.sources.tradingview.parsed import ParseSettings
from nightdesk.venues.paper.faults import FaultKind

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
TEXTS = [*sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("*.md"))]
GUIDES = sorted((DOCS / "guide").glob("*.md"))

_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILLED = {
    "exchange": "BINANCE",
    "ticker": "BTCUSDT",
    "close": "64000.5",
    "timenow": "2026-02-18T14:30:01Z",
    "strategy.order.action": "buy",
    "strategy.order.contracts": "0.25",
    "strategy.order.price": "64000.5",
    "strategy.order.id": "Long",
    "strategy.order.comment": "breakout",
    "strategy.market_position": "long",
    "strategy.market_position_size": "0.25",
}


def fenced(path: Path, *languages: str) -> list[str]:
    return [text for language, text in _FENCE.findall(path.read_text()) if language in languages]


def fill(message: str) -> str:
    """The message as TradingView would send it."""
    return re.sub(r"\{\{([\w.]+)\}\}", lambda found: FILLED[found[1]], message)


def plain(path: Path) -> str:
    """The words of a page, without what is fenced or indented code."""
    return re.sub(r"^ {4}.*$", "", _FENCE.sub("", path.read_text()), flags=re.MULTILINE)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(path: Path) -> None:
    for target in _LINK.findall(plain(path)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, heading = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        assert there.is_relative_to(ROOT), target
        if heading:
            titles = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in titles}, target


def test_every_guide_is_reached_from_the_readme() -> None:
    seen, ahead = set(), [ROOT / "README.md"]
    while ahead:
        path = ahead.pop()
        if path not in seen and path.suffix == ".md" and path.exists():
            seen.add(path)
            ahead += [
                (path.parent / each.partition("#")[0]).resolve()
                for each in _LINK.findall(plain(path))
                if ":" not in each
            ]
    assert set(GUIDES) - seen == set()


@pytest.mark.parametrize("path", [path for path in TEXTS if fenced(path, "toml")], ids=lambda path: path.name)
def test_settings_in_the_guides_are_settings_of_the_desk(path: Path, tmp_path: Path) -> None:
    for number, text in enumerate(fenced(path, "toml")):
        file = tmp_path / f"{number}.toml"
        asked = tomllib.loads(text)
        if "hooks" in asked and "venues" not in asked:
            text += "\n[venues.paper]\n"
        file.write_text(text)
        settings = load(file=file, env={})
        assert settings.origins, text


def test_alerts_in_the_guide_are_read_in_every_form_there_is() -> None:
    examples = fenced(DOCS / "guide" / "alerts.md", "json", "text")
    read = {parse(fill(each).encode(), settings=ParseSettings()).form for each in examples}
    names = {form.normalise.__module__.rpartition(".")[2] for form in (*JSON_FORMS, *TEXT_FORMS)}
    assert read == {"csv" if name == "csv_line" else name for name in names} | {"native"}


def test_the_messages_to_copy_are_those_the_page_shows() -> None:
    examples = [each.strip() for each in fenced(DOCS / "guide" / "alerts.md", "json", "text")]
    assert {message.text for message in MESSAGES} <= set(examples)


def test_each_message_to_copy_asks_for_what_it_says() -> None:
    following = ParseSettings(target_position=True)
    for message in MESSAGES:
        settings = following if "market_position" in message.text else ParseSettings()
        parsed = parse(fill(message.text).encode(), settings=settings)
        assert (parsed.no_action is not None) == ("heartbeat" in message.text)
        assert all(ask.symbol == "BINANCE:BTCUSDT" for ask in parsed.asks)


def test_json_in_other_guides_is_json() -> None:
    for path in TEXTS:
        if path.name != "alerts.md":
            for text in fenced(path, "json"):
                json.loads(text)


def test_codes_in_the_guide_of_alerts_are_in_the_list_of_codes() -> None:
    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", (DOCS / "codes.md").read_text(), re.MULTILINE))
    named = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", (DOCS / "guide" / "alerts.md").read_text()))
    assert named - listed - {"ENTER_LONG", "EXIT_SHORT"} == set()


def test_the_guide_of_commands_names_every_command_and_exit_code() -> None:
    text = (DOCS / "guide" / "commands.md").read_text()
    for command in app.registered_commands:
        assert command.callback is not None
        assert f"| `nightdesk {command.name or command.callback.__name__}" in text
    for group in app.registered_groups:
        assert f"| `nightdesk {group.name} " in text
    codes = {value for name, value in vars(words).items() if name.startswith("EXIT_")}
    assert codes == {int(each) for each in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)} - {130}


def test_the_guide_of_paper_names_every_fault() -> None:
    text = (DOCS / "guide" / "paper.md").read_text()
    assert [kind.value for kind in FaultKind if f"`{kind.value}`" not in text] == []


def test_keys_named_in_the_guides_exist() -> None:
    known = {".".join(path) for path, _ in known_keys()}
    for path in GUIDES:
        for name in re.findall(r"`((?:runtime|web|orders|risk|market)\.[a-z_]+)`", path.read_text()):
            assert name in known, (path.name, name)


def test_addresses_and_anchors_of_the_readme_commands_exist() -> None:
    text = (ROOT / "README.md").read_text()
    names = {
        command.name or (command.callback.__name__ if command.callback else "") for command in app.registered_commands
    }
    names |= {str(group.name) for group in app.registered_groups}
    assert set(re.findall(r"`nightdesk (\w+)", text)) <= names
