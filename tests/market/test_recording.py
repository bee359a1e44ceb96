"""Recorded bars, read and checked."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from arro3.core import Array, DataType, Table
from arro3.io import write_parquet
from hypothesis import given, settings
from hypothesis import strategies as st

from nightdesk.market.errors import FeedError
from nightdesk.market.recording import Bar, read_bars, survey

HEAD = "ts,open,high,low,close,volume\n"
T0 = datetime(2024, 1, 1, tzinfo=UTC)
RECORDED = Path(__file__).parents[3] / "shared" / "data" / "market"


@pytest.fixture
def csv_file(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "btc_usd_1h.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def parquet_file(path: Path, columns: Mapping[str, Sequence[float | None]]) -> Path:
    arrays = {
        name: Array(values, DataType.int64() if name == "ts" else DataType.float64())
        for name, values in columns.items()
    }
    write_parquet(Table.from_pydict(arrays), path)
    return path


@pytest.mark.parametrize(
    "ts",
    ["2024-01-01", "2024-01-01T00:00:00Z", "2024-01-01 01:00:00+01:00", "1704067200", "1704067200000", " 1704067200 "],
)
def test_csv_times_are_iso_or_epoch_seconds_or_milliseconds(csv_file: Callable[[str], Path], ts: str) -> None:
    (bar,) = read_bars(csv_file(f"{HEAD}{ts},1,2,0.5,1.5,9\n"))
    assert bar == Bar(ts=T0, open=Decimal(1), high=Decimal(2), low=Decimal("0.5"), close=Decimal("1.5"))


def test_csv_columns_may_stand_in_any_order_with_a_byte_order_mark_and_blank_lines(
    csv_file: Callable[[str], Path],
) -> None:
    path = csv_file("\ufeffClose, Open ,extra,LOW,high,ts\n1.5,1,x,0.5,2,1704067200\n\n1.5,1,x,0.5,2,1704070800\n")
    assert [bar.ts for bar in read_bars(path)] == [T0, T0 + timedelta(hours=1)]
    held = survey(path)
    assert (held.rows, held.first, held.spacing) == (2, T0, timedelta(hours=1))
    assert held.last == T0 + timedelta(hours=1)
    assert held.first_price == 1


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("x,1,2,0.5,1,0\n", "row 1 column ts: 'x' is neither an ISO"),
        (",1,2,0.5,1,0\n", "row 1 column ts: the cell is empty"),
        ("nan,1,2,0.5,1,0\n", "row 1 column ts: nan is neither epoch"),
        ("-5,1,2,0.5,1,0\n", "row 1 column ts: -5 is neither epoch"),
        ("1704067200000000,1,2,0.5,1,0\n", "row 1 column ts: 1704067200000000 is neither epoch"),
        ("1704067200,1,2,0.5,1,0\n1704067200,1,2,0.5,1,0\n", "row 2 column ts: .* is not later than the row before"),
        ("1704067200,1,2,0.5,1,0\n1704067100,1,2,0.5,1,0\n", "row 2 column ts: .* sort the file"),
        ("1704067200,abc,2,0.5,1,0\n", "row 1 column open: 'abc' is not a number"),
        ("1704067200,1,NaN,0.5,1,0\n", "row 1 column high: NaN is not a price"),
        ("1704067200,1,2,inf,1,0\n", "row 1 column low: Infinity is not a price"),
        ("1704067200,1,2,0.5,,0\n", "row 1 column close: the cell is empty"),
        ("1704067200,0,2,0.5,1,0\n", "row 1 column open: 0 is not between"),
        ("1704067200,1,2,-0.5,1,0\n", "row 1 column low: -0.5 is not between"),
        ("1704067200,1,1e400,0.5,1,0\n", "row 1 column high: .* is not between"),
        ("1704067200,1,1.2,0.5,1.5,0\n", "row 1 column high: 1.2 is below another price"),
        ("1704067200,1,2,1.2,1.5,0\n", "row 1 column low: 1.2 is above another price"),
        ("1704067200,1,2\n", "row 1 has 3 cells"),
        ("", "holds no rows"),
    ],
)
def test_a_bad_csv_is_refused_by_file_row_and_column(csv_file: Callable[[str], Path], rows: str, words: str) -> None:
    with pytest.raises(FeedError, match=rf"btc_usd_1h\.csv.* {words}"):
        survey(csv_file(HEAD + rows))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ts,open,high\n", "has no column low, close; it needs ts, open, high, low, close and has ts, open, high"),
        ("", "has no column ts, open, high, low, close; .* has none"),
    ],
)
def test_missing_columns_are_named(csv_file: Callable[[str], Path], text: str, words: str) -> None:
    with pytest.raises(FeedError, match=words):
        survey(csv_file(text))


def test_a_csv_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "btc_usd.csv"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(FeedError, match="cannot be read as CSV"):
        survey(path)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    for name in ("no.csv", "no.parquet"):
        with pytest.raises(FeedError, match="cannot be read"):
            survey(tmp_path / name)


@settings(max_examples=60, deadline=None)
@given(body=st.binary(max_size=300))
def test_whatever_a_csv_holds_it_is_bars_or_a_feed_error(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "btc_usd.csv"
    path.write_bytes(HEAD.encode() + body)
    bars: list[Bar] = []
    with contextlib.suppress(FeedError):
        bars.extend(read_bars(path))
    assert all(0 < bar.low <= min(bar.open, bar.close) for bar in bars)
    assert all(max(bar.open, bar.close) <= bar.high for bar in bars)


def test_parquet_rows_are_checked_like_csv_rows(tmp_path: Path) -> None:
    good: dict[str, list[float | None]] = {
        "ts": [1704067200000, 1704067260000],
        "open": [1.5, 1.25],
        "high": [2, 2],
        "low": [1, 1],
        "close": [1.5, 1.5],
    }
    bars = list(read_bars(parquet_file(tmp_path / "a.parquet", good)))
    assert [bar.ts for bar in bars] == [T0, T0 + timedelta(minutes=1)]
    assert bars[1].open == Decimal("1.25")
    with pytest.raises(FeedError, match=r"b\.parquet row 2 column close: the cell is empty"):
        survey(parquet_file(tmp_path / "b.parquet", {**good, "close": [1.5, None]}))
    with pytest.raises(FeedError, match=r"c\.parquet row 2 column high: NaN is not a price"):
        survey(parquet_file(tmp_path / "c.parquet", {**good, "high": [2, float("nan")]}))
    with pytest.raises(FeedError, match=r"d\.parquet has no column low; .* has ts, open, high, close"):
        survey(parquet_file(tmp_path / "d.parquet", {name: good[name] for name in ("ts", "open", "high", "close")}))


def test_a_damaged_parquet_file_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "btc_usd.parquet"
    path.write_bytes(b"PAR1 no parquet at all PAR1")
    with pytest.raises(FeedError, match="cannot be read as Parquet"):
        survey(path)


def test_what_is_no_fault_of_the_file_passes_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "btc_usd.parquet"
    path.write_bytes(b"")
    monkeypatch.setattr("arro3.io.read_parquet", interrupted)
    with pytest.raises(KeyboardInterrupt):
        survey(path)


def test_one_bar_counts_as_a_minute(csv_file: Callable[[str], Path]) -> None:
    assert survey(csv_file(f"{HEAD}1704067200,1,2,0.5,1,0\n")).spacing == timedelta(minutes=1)


def test_a_rising_bar_sees_its_low_first_and_a_falling_one_its_high() -> None:
    rising = Bar(ts=T0, open=Decimal(2), high=Decimal(4), low=Decimal(1), close=Decimal(3))
    falling = Bar(ts=T0, open=Decimal(3), high=Decimal(4), low=Decimal(1), close=Decimal(2))
    assert list(rising.path()) == [2, 1, 4, 3]
    assert list(falling.path()) == [3, 4, 1, 2]


@pytest.mark.skipif(not RECORDED.is_dir(), reason=f"no recorded market data beside the repository ({RECORDED})")
def test_recorded_files_hold_what_their_index_says() -> None:
    largest = survey(RECORDED / "gbpusd_m1_bid_2012.parquet")
    assert (largest.rows, largest.spacing) == (30_117, timedelta(minutes=1))
    assert largest.first == datetime(2012, 2, 1, tzinfo=UTC)
    daily = survey(RECORDED / "spy_1d_lean.parquet")
    assert (daily.rows, daily.spacing) == (2517, timedelta(days=1))
