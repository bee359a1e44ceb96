"""The settings: layers, reload, what is wrong only together, and the example (M10, K15, row 66)."""

from collections.abc import Mapping
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightdesk.model.signal import SizeUnit
from nightdesk.orders.config import OrdersConfig
from nightdesk.risk.config import RiskConfig, SymbolLimits
from nightdesk.runtime.config import RuntimeConfig
from nightdesk.runtime.config_build import keys, shapes
from nightdesk.runtime.config_entries import Problem, dotted, variable
from nightdesk.runtime.config_values import read_value
from nightdesk.settings import (
    Settings,
    SettingsError,
    VenueConfig,
    as_text,
    describe,
    is_loopback,
    known_keys,
    load,
    reload,
    secret_values,
)
from nightdesk.sources.config import HookConfig
from nightdesk.web.config import WebConfig
from tools.generate.env_example import env_example, key_docs

OURS = (RuntimeConfig, WebConfig, OrdersConfig, RiskConfig, SymbolLimits, HookConfig, VenueConfig)
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


def test_defaults_alone_are_a_paper_desk_on_loopback_k14():
    settings = load(env={})
    assert settings == Settings()
    assert (settings.web.host, settings.web.port) == ("127.0.0.1", 8646)
    assert settings.hooks["tradingview"].sleeve == "tradingview"
    assert [(name, each.kind, each.account) for name, each in settings.venues.items()] == [("paper", "paper", "paper")]
    assert {line.source for line in describe(settings)} == {"default"}


def test_each_layer_wins_over_the_one_before_m10(tmp_path: Path):
    text = "[web]\nport = 1\nrate_burst = 1\nmax_body = 2048\n"
    env = {"NIGHTDESK_WEB__PORT": "2", "NIGHTDESK_WEB__RATE_BURST": "2"}
    web = read(tmp_path, text, env, web__port="3").web
    assert (web.port, web.rate_burst, web.max_body, web.rate_per_minute) == (3, 2, 2048, 600)


def test_each_value_names_its_source_m10(tmp_path: Path):
    text = "[web]\nport = 1\n\n[hooks.main]\nmax_qty = 5\n"
    env = {"NIGHTDESK_WEB__RATE_BURST": "2", "NIGHTDESK_HOOKS__MAIN__SYMBOLS": "A=BTC-USD"}
    lines = {line.key: line for line in describe(read(tmp_path, text, env, orders__sweep="0.5"))}
    shown = {key: (lines[key].value, lines[key].source) for key in lines if lines[key].source != "default"}
    assert shown == {
        "web.port": ("1", "nightdesk.toml:2"),
        "hooks.main.max_qty": ("5", "nightdesk.toml:5"),
        "web.rate_burst": ("2", "NIGHTDESK_WEB__RATE_BURST"),
        "hooks.main.symbols": ("A=BTC-USD", "NIGHTDESK_HOOKS__MAIN__SYMBOLS"),
        "orders.sweep": ("0.5", "command line"),
    }


def test_describe_names_every_key_once_m10(tmp_path: Path):
    settings = read(tmp_path, "[risk.symbols.BTC-USD]\nmax_order_qty = 1\n")
    shown = [line.key for line in describe(settings)]
    known = [dotted(path).replace('"*"', "*") for path, _ in known_keys()]
    for star, name in (
        ("hooks.*", "hooks.tradingview"),
        ("venues.*", "venues.paper"),
        ("symbols.*", "symbols.BTC-USD"),
    ):
        known = [each.replace(star, name) for each in known]
    assert sorted(shown) == sorted(known)
    assert len(set(shown)) == len(shown)


def test_a_value_from_a_file_named_by_the_environment_m10(tmp_path: Path):
    (tmp_path / "url").write_text(f"postgresql://desk:{CANARY}@db/desk\n")
    settings = read(tmp_path, env={"NIGHTDESK_RUNTIME__DATABASE_FILE": str(tmp_path / "url")})
    assert settings.runtime.database == f"postgresql://desk:{CANARY}@db/desk"
    assert CANARY not in repr(settings)
    (line,) = (each for each in describe(settings) if each.key == "runtime.database")
    assert (line.value, line.source) == ("***", "NIGHTDESK_RUNTIME__DATABASE_FILE")


def test_what_the_log_must_hide_is_named_w12():
    url = "postgresql://desk:p%40ss-word@db/desk"
    settings = load(env={"NIGHTDESK_RUNTIME__DATABASE": url})
    assert set(secret_values(settings)) == {url, "p%40ss-word", "p@ss-word"}
    assert list(secret_values(Settings())) == []


def test_names_from_the_environment_meet_those_of_the_file(tmp_path: Path):
    text = '[hooks.my-hook]\nmax_qty = 5\n[risk.symbols."BRK.B"]\nmax_order_qty = 1\n'
    env = {
        "NIGHTDESK_HOOKS__MY_HOOK__MAX_QTY": "6",
        "NIGHTDESK_RISK__SYMBOLS__BRK_B__MAX_ORDER_QTY": "2",
        "NIGHTDESK_RISK__SYMBOLS__ETH_USD__MAX_ORDER_QTY": "3",
    }
    settings = read(tmp_path, text, env)
    assert {name: each.max_qty for name, each in settings.hooks.items()} == {"my-hook": Decimal(6)}
    assert {name: each.max_order_qty for name, each in settings.risk.symbols.items()} == {"BRK.B": 2, "ETH-USD": 3}


def test_hooks_and_venues_named_take_the_place_of_the_default_ones(tmp_path: Path):
    text = (
        "[hooks.main]\n[hooks.other]\nsleeve = 'mine'\n[venues.manual]\n[venues.sim]\nkind='paper'\ncash=5\naccount='x'"
    )
    settings = read(tmp_path, text)
    assert {name: each.sleeve for name, each in settings.hooks.items()} == {"main": "main", "other": "mine"}
    assert settings.venues["manual"] == VenueConfig(kind="manual", account="manual")
    sim = settings.venues["sim"]
    assert sim.paper is not None
    assert (sim.kind, sim.account, sim.paper.cash, sim.paper.name) == ("paper", "x", Decimal(5), "sim")


def test_tokens_and_test_variables_are_no_settings(tmp_path: Path):
    names = ["NIGHTDESK_WEBHOOK_TOKEN", "NIGHTDESK_OPERATOR_TOKEN_FILE", "NIGHTDESK_TEST_X", "CRASH_AT", "PATH"]
    assert read(tmp_path, env=dict.fromkeys(names, "x")) == Settings()


def test_the_process_environment_is_read_where_none_is_given(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NIGHTDESK_WEB__PORT", "77")
    assert load().web.port == 77


def test_money_keeps_digits_a_float_would_lose(tmp_path: Path):
    text = "[risk]\nmax_order_notional = 12345678901234567.123456789012345678\nmax_daily_loss = 0.1\nmax_leverage = 1e1"
    risk = read(tmp_path, text).risk
    assert risk.max_order_notional == Decimal("12345678901234567.123456789012345678")
    assert (risk.max_daily_loss, risk.max_leverage) == (Decimal("0.1"), Decimal(10))


def test_infinity_is_a_pace_and_no_bound(tmp_path: Path):
    assert read(tmp_path, "[market]\nspeed = inf").market.speed == float("inf")
    assert read(tmp_path, env={"NIGHTDESK_MARKET__SPEED": "inf"}).market.speed == float("inf")


def test_none_switches_an_optional_key_off_in_every_layer(tmp_path: Path):
    text = "[hooks.a]\nmax_qty = 5\n[hooks.b]\nmax_qty = 'none'"
    hooks = read(tmp_path, text, {"NIGHTDESK_HOOKS__A__MAX_QTY": "none"}).hooks
    assert [each.max_qty for each in hooks.values()] == [None, None]


def test_lists_and_tables_from_the_environment(tmp_path: Path):
    text = "[hooks.a]\nvenues = ['paper']\nsymbols = { X = 'Y' }\n[venues.paper]\n[venues.manual]"
    env = {"NIGHTDESK_HOOKS__A__VENUES": "paper, manual", "NIGHTDESK_HOOKS__A__SYMBOLS": "BTCUSDT=BTC-USD,Y=Z"}
    hook = read(tmp_path, text, env).hooks["a"]
    assert hook.venues == ("paper", "manual")
    assert hook.symbols == {"BTCUSDT": "BTC-USD", "Y": "Z"}
    emptied = read(tmp_path, text, dict.fromkeys(env, "")).hooks["a"]
    assert (emptied.venues, emptied.symbols) == ((), {})


def test_enums_in_either_case(tmp_path: Path):
    for unit in ("QUOTE", "quote"):
        assert read(tmp_path, f"[hooks.a]\nsize_unit = '{unit}'").hooks["a"].size_unit is SizeUnit.QUOTE


def test_a_home_directory_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", "/home/desk")
    assert read(tmp_path, "[runtime]\ndata = '~/desk'").runtime.data == Path("/home/desk/desk")


def test_limits_of_a_symbol_fall_back_to_the_general_ones_x4(tmp_path: Path):
    risk = read(tmp_path, "[risk]\nmax_leverage = 2\n[risk.symbols.BTC-USD]\nmax_order_qty = 1\n").risk
    assert risk.for_symbol("ETH-USD") is risk
    assert risk.for_symbol("BTC-USD") == replace(risk, max_order_qty=Decimal(1))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "desk.example", "127.0.0.1.example"])  # noqa: S104 - to be refused
def test_a_public_bind_without_tls_is_refused_with_words_s32_k15(tmp_path: Path, host: str):
    (problem,) = problems(tmp_path, f"[web]\nhost = '{host}'\npublic_url = 'https://desk.example'")
    assert problem.startswith(f"nightdesk.toml:2: web.host: {host} is reachable from other machines")
    for way in ("127.0.0.1", "tls_certificate", "trusted_proxies", "allow_plain_http_on_public_bind"):
        assert way in problem


@pytest.mark.parametrize(
    "arrangement",
    [
        "tls_certificate = 'c.pem'\ntls_key = 'k.pem'",
        "public_url = 'https://desk.example'\ntrusted_proxies = ['10.0.0.0/8', '::1']",
        "allow_plain_http_on_public_bind = true",
    ],
)
def test_a_public_bind_with_an_arrangement_is_taken_k15(tmp_path: Path, arrangement: str):
    assert read(tmp_path, f"[web]\nhost = '0.0.0.0'\n{arrangement}").web.port == 8646


def test_a_proxy_without_an_https_address_is_no_arrangement(tmp_path: Path):
    text = "[web]\nhost = '::'\npublic_url = 'http://desk.example'\ntrusted_proxies = ['10.0.0.1']"
    assert "web.host" in problems(tmp_path, text)[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "LOCALHOST"])
def test_loopback_is_known_in_all_its_spellings(host: str):
    assert is_loopback(host)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[web]\ntls_key = 'k'", "nightdesk.toml:2: web.tls_key: needs web.tls_certificate beside it"),
        ("[web]\ntls_certificate = 'c'", "nightdesk.toml:2: web.tls_certificate: needs web.tls_key beside it"),
        ("[web]\ntrusted_proxies = ['proxy']", "nightdesk.toml:2: web.trusted_proxies: expected addresses or networks"),
        ("[web]\ntrusted_proxies = ['0.0.0.0/0']", "nightdesk.toml:2: web.trusted_proxies: 0.0.0.0/0 would let every"),
        ("[web]\npublic_url = 'desk.example'", "nightdesk.toml:2: web.public_url: expected empty, or a URL like https"),
        ("[hooks.a]\nvenues = ['papr']", "nightdesk.toml:2: hooks.a.venues: there is no venue papr; known: paper"),
        ("[hooks.a]\nsleeve = 'EXTERNAL'", "nightdesk.toml:2: hooks.a.sleeve: EXTERNAL is kept for"),
        (
            "[venues.paper]\n[venues.b]\nkind = 'paper'\naccount = 'paper'",
            "nightdesk.toml:4: venues.b.account: venue paper has the account paper already",
        ),
    ],
)
def test_values_that_do_not_fit_each_other_are_refused(tmp_path: Path, text: str, expected: str):
    (problem,) = problems(tmp_path, text)
    assert problem.startswith(expected)


def test_a_bad_reload_keeps_the_last_good_settings_row_66(tmp_path: Path):
    good = read(tmp_path, "[risk]\nmax_leverage = 2\n")
    file = tmp_path / "nightdesk.toml"
    for bad in ("[risk]\nmax_leverage = 5\nmax_daily_loss = -1\n", "[risk", "[risk]\nmax_leverage = 5\n[web]\nx = 1"):
        file.write_text(bad)
        result = reload(good, file=file, env={})
        assert isinstance(result, SettingsError)
        assert result.problems
        assert good.risk.max_leverage == 2


def test_a_good_reload_is_new_as_a_whole_and_an_equal_one_is_the_same_row_66(tmp_path: Path):
    good = read(tmp_path, "[risk]\nmax_leverage = 2\n")
    file = tmp_path / "nightdesk.toml"
    file.write_text("# a word\n[risk]\nmax_leverage = 2.0\n")
    assert reload(good, file=file, env={}) is good
    file.write_text("[risk]\nmax_leverage = 4\nmax_daily_loss = 1\n")
    fresh = reload(good, file=file, env={})
    assert isinstance(fresh, Settings)
    assert (fresh.risk.max_leverage, fresh.risk.max_daily_loss) == (4, 1)
    assert good.risk.max_leverage == 2
    assert fresh.version != good.version == read(tmp_path, "[risk]\nmax_leverage = 2\n").version


@given(
    st.dictionaries(
        st.sampled_from([variable(path) for path, _ in known_keys()]),
        st.one_of(st.text(max_size=20), st.sampled_from(["true", "none", "1", "0.5", "a,b", "A=B", ""])),
    )
)
def test_any_environment_gives_settings_or_errors_that_name_it_row_66(env: dict[str, str]):
    wrong: tuple[Problem, ...] = ()
    try:
        load(env=env)
    except SettingsError as e:
        wrong = e.problems or (Problem(key="", source="nowhere", text="an error without a problem"),)
    assert all(each.source in env or each.source == "default" for each in wrong)


def example() -> dict[str, str]:
    lines = [line.removeprefix("#") for line in env_example().splitlines() if line.startswith("#NIGHTDESK_")]
    return dict(line.split("=", 1) for line in lines)


def test_the_example_names_every_key_m10():
    wanted = {
        variable(path)
        .replace("HOOKS_____", "HOOKS__TRADINGVIEW__")
        .replace("VENUES_____", "VENUES__PAPER__")
        .replace("SYMBOLS_____", "SYMBOLS__BTC_USD__")
        for path, _ in known_keys()
    }
    assert set(example()) == wanted | {"NIGHTDESK_WEBHOOK_TOKEN", "NIGHTDESK_OPERATOR_TOKEN"}


def test_the_example_uncommented_is_the_defaults_m10():
    settings = load(env=example())
    assert settings.risk.symbols == {"BTC-USD": SymbolLimits()}
    assert replace(settings, risk=replace(settings.risk, symbols={})) == Settings()


@pytest.mark.parametrize("kind", OURS)
def test_every_key_of_ours_is_explained(kind: type):
    assert set(shapes(kind)) <= set(key_docs(kind))
    assert [each.name for each in fields(kind)] == list(shapes(kind))


def test_every_default_is_a_value_its_own_key_takes():
    settings = load(env={})
    for section in ("runtime", "web", "orders", "risk", "market"):
        kind = getattr(settings, section)
        for (name,), shape in ((path, shape) for path, shape in keys(type(kind)) if len(path) == 1):
            text = as_text(getattr(kind, name))
            assert as_text(read_value(shape, text, textual=True)) == text
