"""Recorded bars from a Parquet or CSV file, checked row by row."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

from nightdesk.market.errors import FeedError

COLUMNS = ("ts", "open", "high", "low", "close")
_MILLISECONDS_FROM = 10**11
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST = Decimal("1e15")
_SMALLEST = Decimal("1e-15")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The prices of one span of time that begins at `ts`."""

    ts: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal

    def path(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """The order in which the four prices are played: a rising bar sees its low first, a falling one its high."""
        if self.close >= self.open:
            return self.open, self.low, self.high, self.close
        return self.open, self.high, self.low, self.close


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a whole file holds; `spacing` is the smallest time between two bars, a minute when there is one bar."""

    rows: int
    first: datetime
    last: datetime
    spacing: timedelta
    first_price: Decimal


def survey(path: Path) -> Survey:
    """What the file holds, every row of it checked; FeedError names the file, the row and the column at fault."""
    rows = 0
    spacing: timedelta | None = None
    first = last = None
    for bar in read_bars(path):
        rows += 1
        if last is None:
            first = bar
        elif spacing is None or bar.ts - last.ts < spacing:
            spacing = bar.ts - last.ts
        last = bar
    if first is None or last is None:
        raise FeedError(f"{path} holds no rows; it needs at least one bar")
    return Survey(
        rows=rows,
        first=first.ts,
        last=last.ts,
        spacing=spacing or timedelta(minutes=1),
        first_price=first.open,
    )


def read_bars(path: Path) -> Iterator[Bar]:
    """Yields the bars one by one, a few hundred in memory at a time; FeedError at the first bad row.

    Columns: ts, open, high, low, close; others are not read. `ts` is the start of the bar, later in every row: a
    time, ISO 8601 (UTC where no zone is named) or epoch seconds or milliseconds. Rows count from 1 after the header.
    """
    rows = _csv_rows(path) if path.suffix.lower() == ".csv" else _parquet_rows(path)
    last: datetime | None = None
    for number, cells in enumerate(rows, 1):
        bar = _bar(path, number, cells)
        if last is not None and bar.ts <= last:
            raise _bad(path, number, "ts", f"{bar.ts.isoformat()} is not later than the row before; sort the file")
        last = bar.ts
        yield bar


def _bar(path: Path, row: int, cells: Sequence[object]) -> Bar:
    try:
        ts = _moment(cells[0])
    except ValueError as e:
        raise _bad(path, row, "ts", str(e)) from e
    prices = []
    for column, cell in zip(COLUMNS[1:], cells[1:], strict=True):
        try:
            prices.append(_price(cell))
        except ValueError as e:
            raise _bad(path, row, column, str(e)) from e
    opened, high, low, close = prices
    if high < max(prices):
        raise _bad(path, row, "high", f"{high} is below another price of its bar")
    if low > min(prices):
        raise _bad(path, row, "low", f"{low} is above another price of its bar")
    return Bar(ts=ts, open=opened, high=high, low=low, close=close)


def _bad(path: Path, row: int, column: str, words: str) -> FeedError:
    return FeedError(f"{path} row {row} column {column}: {words}")


def _price(cell: object) -> Decimal:
    if cell is None or cell == "":
        raise ValueError("the cell is empty; fill it or remove the row")
    try:
        price = Decimal(str(cell))
    except InvalidOperation as e:
        raise ValueError(f"{str(cell)[:40]!r} is not a number") from e
    if not price.is_finite():
        raise ValueError(f"{price} is not a price; remove the row")
    if not _SMALLEST <= price <= _LARGEST:
        raise ValueError(f"{price} is not between 1e-15 and 1e15")
    return price


def _moment(cell: object) -> datetime:
    if isinstance(cell, datetime):
        return cell.astimezone(UTC) if cell.tzinfo else cell.replace(tzinfo=UTC)
    text = str(cell).strip() if cell is not None else ""
    if not text:
        raise ValueError("the cell is empty; fill it or remove the row")
    try:
        epoch = float(text)
    except ValueError:
        return _iso(text)
    seconds = epoch / 1000 if abs(epoch) >= _MILLISECONDS_FROM else epoch
    if not math.isfinite(seconds) or not 0 <= seconds < _MILLISECONDS_FROM / 10:
        raise ValueError(f"{text} is neither epoch seconds nor milliseconds")
    return _EPOCH + timedelta(seconds=seconds)


def _iso(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as e:
        raise ValueError(f"{text[:40]!r} is neither an ISO 8601 time nor epoch seconds or milliseconds") from e
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _places(path: Path, found: Sequence[str]) -> list[int]:
    names = [name.strip().lower() for name in found]
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        raise FeedError(
            f"{path} has no column {', '.join(missing)}; it needs {', '.join(COLUMNS)} and has "
            f"{', '.join(names) or 'none'}"
        )
    return [names.index(column) for column in COLUMNS]


def _csv_rows(path: Path) -> Iterator[Sequence[object]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file)
            places = _places(path, next(lines, []))
            for number, line in enumerate((line for line in lines if line), 1):
                if len(line) <= max(places):
                    raise FeedError(f"{path} row {number} has {len(line)} cells, too few for the header; fix the row")
                yield [line[place] for place in places]
    except (OSError, UnicodeDecodeError, csv.Error) as e:
        raise FeedError(f"{path} cannot be read as CSV: {e}") from e


def _parquet_rows(path: Path) -> Iterator[Sequence[object]]:
    for columns in _parquet_batches(path):
        yield from zip(*(columns[name] for name in COLUMNS), strict=True)


def _parquet_batches(path: Path) -> Iterator[Mapping[str, Sequence[object]]]:
    from arro3.io import read_parquet  # only who replays a recording pays for the import

    try:
        with path.open("rb") as file:
            reader = read_parquet(file, batch_size=256)
            names = reader.schema.names
            places = _places(path, names)
            for batch in reader:
                yield {column: batch.column(place).to_pylist() for column, place in zip(COLUMNS, places, strict=True)}
    except FeedError:
        raise
    except BaseException as e:
        # The Parquet reader panics on a damaged file, and a panic is neither an Exception nor importable.
        if isinstance(e, Exception) or type(e).__name__ == "PanicException":
            raise FeedError(f"{path} cannot be read as Parquet: {e}") from e
        raise
