"""Errors in the settings: each names the key, the place and what is expected (M10, S31)."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from nightdesk.settings import Settings, SettingsError, load

CANARY = "canary-7Jw2mQx9-canary"


def read(tmp_path: Path, text: str = "", env: Mapping[str, str] | None = None, **overrides: str) -> Settings:
    file = tmp_path / "nightdesk.toml"
    file.write_text(text)
    return load(file=file, env=env or {}, overrides={key.replace("__", "."): each for key, each in overrides.items()})


def problems(tmp_path: Path, text: str = "", env: Mapping[str, str] | None = None, **overrides: str) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        read(tmp_path, text, env, **overrides)
    assert str(refused.value).count("\n") == len(refused.value.problems)
    return [str(each) for each in refused.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[web]\n\nprot = 1", "nightdesk.toml:3: web.prot: there is no such key; the nearest is web.port"),
        ("[wbe]\nport = 1", "nightdesk.toml:1: wbe: there is no such key; the nearest is web"),
        ("[wbe]", "nightdesk.toml:1: wbe: there is no such key; the nearest is web"),
        ("port = 1", "nightdesk.toml:1: port: there is no such key; the nearest is web.port"),
        ("web = 3", "nightdesk.toml:1: web: expected a table, like [web]"),
        ("[web.port]\nx = 1", "nightdesk.toml:1: web.port: expected a whole number from 0 to 65535, found a table"),
        ("[web]\nport = '1'", 'nightdesk.toml:2: web.port: expected a whole number from 0 to 65535, found "1"'),
        ("[web]\nport = 70000", "nightdesk.toml:2: web.port: expected a whole number from 0 to 65535, found 70000"),
        ("[web]\nport = true", "nightdesk.toml:2: web.port: expected a whole number from 0 to 65535, found True"),
        ("[web]\nport = 1.0", "nightdesk.toml:2: web.port: expected a whole number from 0 to 65535, found 1.0"),
        ("[hooks.a]\ntest = 1", "nightdesk.toml:2: hooks.a.test: expected true or false, found 1"),
        ("[hooks.a]\ntest = 'true'", 'nightdesk.toml:2: hooks.a.test: expected true or false, found "true"'),
        ("[risk]\nmax_leverage = 0", "nightdesk.toml:2: risk.max_leverage: expected a number above 0, found 0"),
        ("[risk]\nmax_leverage = nan", "nightdesk.toml:2: risk.max_leverage: expected a number above 0, found NaN"),
        (
            "[risk]\nmax_leverage = inf",
            "nightdesk.toml:2: risk.max_leverage: expected a number above 0, found Infinity",
        ),
        (
            "[risk]\nmax_leverage = '\uff11'",
            'nightdesk.toml:2: risk.max_leverage: expected a number above 0, found "\\uff11"',
        ),
        ("[orders]\nsweep = inf", "nightdesk.toml:2: orders.sweep: expected a number above 0, found Infinity"),
        (
            "[hooks.a]\nmax_qty = -1",
            "nightdesk.toml:2: hooks.a.max_qty: expected a number above 0, or none, found -1",
        ),
        (
            "[runtime]\nlog_level = 'INFO'",
            'nightdesk.toml:2: runtime.log_level: expected one of debug, info, warning, error, found "INFO"',
        ),
        (
            "[hooks.a]\nsize_unit = 'lots'",
            "nightdesk.toml:2: hooks.a.size_unit: expected one of base, quote, percent_of_equity, percent_of_position, "
            'risk_quote, risk_percent, found "lots"',
        ),
        (
            "[hooks.a]\nvenues = 'paper'",
            'nightdesk.toml:2: hooks.a.venues: expected a list of texts (in the environment: one,two), found "paper"',
        ),
        (
            "[hooks.a]\nvenues = [\n 1,\n]",
            "nightdesk.toml:2: hooks.a.venues: expected a list of texts (in the environment: one,two), found [1]",
        ),
        (
            "[hooks.a]\n[hooks.a.symbols]\nX = 5",
            "nightdesk.toml:3: hooks.a.symbols: expected a table of texts (in the environment: A=B,C=D)",
        ),
        (
            "[hooks.a]\nsymbols = 5",
            "nightdesk.toml:2: hooks.a.symbols: expected a table of texts (in the environment: A=B,C=D)",
        ),
        ("[[web]]\nport = 1", "nightdesk.toml:1: web: expected a table, like [web]"),
        ("hooks = 5", "nightdesk.toml:1: hooks: expected a table of tables, like [hooks.name]"),
        (
            "[hooks.'Über']\n",
            'nightdesk.toml:1: hooks."Über": the name is not usable: expected lower-case letters, digits,',
        ),
        (
            "[risk.symbols.btc]\nmax_order_qty = 1",
            "nightdesk.toml:1: risk.symbols.btc: the name is not usable: expected a symbol like BTC-USD",
        ),
        ("[venues.kraken]\ncash = 1", "nightdesk.toml:2: venues.kraken.kind: expected kind = one of paper, manual"),
        ("[venues.x]\nkind = 5", "nightdesk.toml:2: venues.x.kind: expected kind = one of paper, manual"),
        (
            "[venues.paper]\nenabeld = true",
            "nightdesk.toml:2: venues.paper.enabeld: there is no such key; the nearest is venues.paper.enabled",
        ),
        (
            "[venues.paper]\nname = 'x'",
            "nightdesk.toml:2: venues.paper.name: there is no such key; known here: account, burst, cash,",
        ),
        (
            "[venues.manual]\ncash = 1",
            "nightdesk.toml:2: venues.manual.cash: there is no such key; known here: account, enabled",
        ),
        ("[web]\nport = \n", "nightdesk.toml:2: is not valid TOML: Invalid value"),
        ("[web]\nport = 1\nport = 2", "nightdesk.toml:3: is not valid TOML: Cannot overwrite a value"),
        ("[web]\nport = [1,\n\n", "nightdesk.toml:4: is not valid TOML: "),
        ("x = " + "9" * 5000, "nightdesk.toml:1: is not valid TOML: "),
        ("x = " + "[" * 5000, "nightdesk.toml:1: is not valid TOML: "),
        ("[runtime]\ndata = ''", 'nightdesk.toml:2: runtime.data: expected a path, found ""'),
        ('[runtime]\ndata = "a\\u0000b"', 'nightdesk.toml:2: runtime.data: expected a path, found "a\\x00b"'),
    ],
)
def test_an_error_in_the_file_names_key_file_line_and_what_is_expected(tmp_path: Path, text: str, expected: str):
    (problem,) = problems(tmp_path, text)
    assert problem.startswith(expected)


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        (
            {"NIGHTDESK_WEB__PORRT": "1"},
            "NIGHTDESK_WEB__PORRT: web.porrt: there is no such key; the nearest is NIGHTDESK_WEB__PORT",
        ),
        ({"NIGHTDESK_PORT": "1"}, "NIGHTDESK_PORT: port: there is no such key; the nearest is NIGHTDESK_WEB__PORT"),
        (
            {"NIGHTDESK_WEB_PORT": "1"},
            "NIGHTDESK_WEB_PORT: web_port: there is no such key; the nearest is NIGHTDESK_WEB__PORT",
        ),
        (
            {"NIGHTDESK_WEBHOK_TOKEN": CANARY},
            "NIGHTDESK_WEBHOK_TOKEN: webhok_token: there is no such key; the nearest is NIGHTDESK_WEBHOOK_TOKEN",
        ),
        ({"NIGHTDESK_ZZZ": "1"}, "NIGHTDESK_ZZZ: zzz: there is no such key; known here: hooks, market, orders, risk,"),
        (
            {"NIGHTDESK_WEB__PORT": "1_000"},
            "NIGHTDESK_WEB__PORT: web.port: expected a whole number from 0 to 65535, found",
        ),
        (
            {"NIGHTDESK_HOOKS__A__TEST": "yes"},
            'NIGHTDESK_HOOKS__A__TEST: hooks.a.test: expected true or false, found "yes"',
        ),
        ({"NIGHTDESK_HOOKS__A": "yes"}, "NIGHTDESK_HOOKS__A: hooks.a: expected a table, like [hooks.a]"),
        (
            {"NIGHTDESK_HOOKS__A__SYMBOLS": "BTC"},
            "NIGHTDESK_HOOKS__A__SYMBOLS: hooks.a.symbols: expected a table of texts (in the environment: A=B,C=D)",
        ),
        (
            {"NIGHTDESK_HOOKS__A__SYMBOLS__BTC": "X"},
            "NIGHTDESK_HOOKS__A__SYMBOLS__BTC: hooks.a.symbols: expected a table of texts",
        ),
        (
            {"NIGHTDESK_RISK__MAX_LEVERAGE": ""},
            'NIGHTDESK_RISK__MAX_LEVERAGE: risk.max_leverage: expected a number above 0, found ""',
        ),
        (
            {"NIGHTDESK_RISK__MAX_LEVERAGE": "none"},
            'NIGHTDESK_RISK__MAX_LEVERAGE: risk.max_leverage: expected a number above 0, found "none"',
        ),
        (
            {"NIGHTDESK_WEB__PORT_FILE": "/nowhere"},
            "NIGHTDESK_WEB__PORT_FILE: names a file that cannot be read: /nowhere",
        ),
        (
            {"NIGHTDESK_WEB__PORT_FILE": "/nowhere", "NIGHTDESK_WEB__PORT": "1"},
            "NIGHTDESK_WEB__PORT_FILE: NIGHTDESK_WEB__PORT is set as well: set one of the two",
        ),
    ],
)
def test_an_error_in_the_environment_names_the_variable(tmp_path: Path, env: dict[str, str], expected: str):
    (problem,) = problems(tmp_path, env=env)
    assert problem.startswith(expected)
    assert CANARY not in problem


def test_an_error_on_the_command_line_says_so(tmp_path: Path):
    assert problems(tmp_path, web__port="x") == [
        'command line: web.port: expected a whole number from 0 to 65535, found "x"'
    ]
    with pytest.raises(SettingsError, match=r"command line: a b: expected a key like web\.port"):
        load(env={}, overrides={"a b": "1"})
    with pytest.raises(SettingsError, match=r"web\.prot: there is no such key; the nearest is web\.port"):
        load(env={}, overrides={"web.prot": "1"})


def test_all_errors_come_together_in_the_order_of_the_file(tmp_path: Path):
    text = "[risk]\nmax_leverage = -1\n[web]\nport = 'x'\nfoo = 1\n[venues.x]\n[hooks.A]\n"
    found = problems(tmp_path, text, {"NIGHTDESK_WEB__HOST": ""}, orders__sweep="0")
    assert [each.split(": ")[0] for each in found] == [
        "nightdesk.toml:2",
        "nightdesk.toml:4",
        "nightdesk.toml:5",
        "nightdesk.toml:6",
        "nightdesk.toml:7",
        "NIGHTDESK_WEB__HOST",
        "command line",
    ]


def test_a_wrong_value_is_an_error_even_where_a_later_layer_covers_it(tmp_path: Path):
    (problem,) = problems(tmp_path, "[web]\nport = 'x'", {"NIGHTDESK_WEB__PORT": "1"})
    assert problem.startswith("nightdesk.toml:2")


def test_what_may_be_secret_is_not_repeated_in_an_error_w12(tmp_path: Path):
    (tmp_path / "secret").write_text(CANARY)
    for text, env in (
        (f"[runtime]\ndatabase = 'mysql://u:{CANARY}@db'", {}),
        ("", {"NIGHTDESK_WEB__PORT_FILE": str(tmp_path / "secret")}),
        ("", {"NIGHTDESK_RUNTIME__DATABASE": CANARY}),
    ):
        (problem,) = problems(tmp_path, text, env)
        assert CANARY not in problem
        assert "expected" in problem


@pytest.mark.parametrize("kind", ["missing", "directory", "latin", "long"])
def test_files_that_cannot_be_read_are_named(tmp_path: Path, kind: str):
    file = tmp_path / "nightdesk.toml"
    if kind == "directory":
        file.mkdir()
    elif kind == "latin":
        file.write_bytes(b"x = '\xff'")
    elif kind == "long":
        file.write_text("x" * 70_000)
        with pytest.raises(SettingsError, match="names a file that cannot be read"):
            load(env={"NIGHTDESK_WEB__PORT_FILE": str(file)})
        return
    with pytest.raises(SettingsError, match=r"no such file|cannot be read: Is a directory|is not UTF-8"):
        load(file=file, env={})
