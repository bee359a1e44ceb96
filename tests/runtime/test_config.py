"""Values and lines of settings, strictly (M10)."""

import tomllib
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightdesk.runtime.config_build import Builder
from nightdesk.runtime.config_entries import dotted, read_toml
from nightdesk.runtime.config_tree import Pattern, Range
from nightdesk.runtime.config_values import Shape, read_value


@given(st.decimals(min_value=Decimal("0.00000001"), max_value=Decimal("99999999999999"), places=8))
def test_money_in_the_file_is_what_was_written_and_never_a_float(value: Decimal):
    for written in (format(value, "f"), f"'{value:f}'"):
        entries = read_toml(f"x = {written}", "x", [])
        assert read_value(Shape(base=Decimal), entries[0].value, textual=False) == value


@given(st.integers(min_value=-(10**17), max_value=10**17))
def test_whole_numbers_come_through_text(value: int):
    assert read_value(Shape(base=int), str(value), textual=True) == value


@given(st.text(max_size=12))
def test_text_is_a_number_only_when_it_is_plain_digits(text: str):
    plain = text.isascii() and text.removeprefix("-").replace(".", "", 1).isdecimal()
    try:
        value = read_value(Shape(base=Decimal), text, textual=True)
    except ValueError:
        assert not plain or text.startswith((".", "-.")) or text.endswith(".")
    else:
        assert plain
        assert isinstance(value, Decimal)
        assert value.is_finite()


@given(st.text(max_size=8))
def test_only_true_and_false_are_truths(text: str):
    try:
        assert read_value(Shape(base=bool), text, textual=True) is (text == "true")
        assert text in ("true", "false")
    except ValueError:
        assert text not in ("true", "false")


@pytest.mark.parametrize("value", [1, 0, "true", Decimal(1), None, [], {}])
def test_toml_truths_are_of_their_type(value: object):
    with pytest.raises(ValueError, match="true or false"):
        read_value(Shape(base=bool), value, textual=False)


@pytest.mark.parametrize(
    "value", [Decimal("1E+999999"), Decimal("1E-999999"), 10**25, True, [], "1e5", " 1", "1_0", "+1"]
)
def test_numbers_beyond_reason_are_refused(value: object):
    for base in (Decimal, float):
        with pytest.raises(ValueError, match="a number"):
            read_value(Shape(base=base), value, textual=False)


def test_words_for_ranges_and_patterns():
    assert Range(above=0, at_most=5).words == "above 0 and at most 5"
    assert Range(at_least=1).words == "1 or more"
    assert not Range(at_most=5).holds(6)
    assert not Pattern("a|", "x").holds("b")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_row_66(text: str):
    found: list[object] = []
    read_toml(text, "x", found)  # type: ignore[arg-type]


TOML = '''# a comment = 1
[ web ]   # and one here
port = 1
public_url = """
https://desk.example"""
"host" = '127.0.0.1'

[hooks."a"]
venues = [  # [not.a.table]
  "paper",  # port = 3
]
symbols = { A = "[x]", "B.C" = "D # no comment" }
codes."E.F" = \'\'\'
[web]
port = 2\'\'\'
[risk]\r
symbols.BTC-USD.max_order_qty = 5\r
'''


def test_lines_are_those_of_the_statements():
    found: list[object] = []
    entries = read_toml(TOML, "f", found)  # type: ignore[arg-type]
    assert not found
    assert {dotted(each.path): int(each.source.removeprefix("f:")) for each in entries} == {
        "web": 2,
        "web.port": 3,
        "web.public_url": 4,
        "web.host": 6,
        "hooks.a": 8,
        "hooks.a.venues": 9,
        "hooks.a.symbols.A": 12,
        'hooks.a.symbols."B.C"': 12,
        'hooks.a.codes."E.F"': 13,
        "risk": 16,
        "risk.symbols.BTC-USD.max_order_qty": 17,
    }


def test_the_values_are_those_of_the_whole_file():
    whole = tomllib.loads(TOML, parse_float=Decimal)
    for entry in read_toml(TOML, "f", []):
        value: object = whole
        for part in entry.path:
            assert isinstance(value, dict)
            value = value[part]
        assert entry.value == {} or value == entry.value


@dataclass(frozen=True, kw_only=True)
class Picky:
    """Checks itself, as a room's settings may."""

    low: int = 0
    high: int = 1

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high")


@dataclass(frozen=True, kw_only=True)
class Outer:
    """Has a section."""

    inner: Picky


def test_what_a_section_finds_wrong_with_itself_is_a_problem_like_the_others():
    builder = Builder()
    entries = read_toml("[inner]\nlow = 5\n", "f", [])
    assert builder.section(Outer, (), entries) is None
    assert [str(each) for each in builder.problems] == ["f:2: inner: low is above high"]


def test_a_section_left_out_is_its_default_and_one_without_a_default_is_a_problem():
    builder = Builder()
    assert builder.section(Picky, ("x",), []) == Picky()
    assert builder.section(Outer, (), []) is None
    assert builder.problems[0].source == "default"
