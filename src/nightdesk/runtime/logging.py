"""Log lines: JSON for machines, pretty on a terminal, each without secrets, written off the caller's thread.

Rooms log through the standard library: `logging.getLogger(__name__).info("order sent", extra={"venue": ...})`.
"""

import copy
import logging
import queue
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self, TextIO

from nightdesk.runtime.config import RuntimeConfig
from nightdesk.runtime.log_file import LogFile
from nightdesk.runtime.redact import Redactor

QUEUE_LENGTH = 20_000
"""Lines that wait to be written; beyond it lines are dropped and counted, because trading never waits for a log."""

Entry = dict[str, Any]
Render = Callable[[Entry], str]

_bound: ContextVar[Mapping[str, str]] = ContextVar("nightdesk_log_fields", default=MappingProxyType({}))
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "bound", "color_message"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


@contextmanager
def bound(**fields: str) -> Iterator[None]:
    """Every line logged inside carries the fields (`correlation_id=...`), also in tasks started there."""
    token = _bound.set(MappingProxyType({**_bound.get(), **fields}))
    try:
        yield
    finally:
        _bound.reset(token)


class Logs:
    """The open logs of this process; closing them writes what waits and puts logging back as it was."""

    def __init__(self, *, redactor: Redactor, stream: TextIO, render: Render, file: LogFile | None) -> None:
        self._redactor = redactor
        self._stream = stream
        self._render = render
        self._render_file = _json_renderer()
        self._file = file
        self._file_works = True
        self._handler = _Enqueue()
        self._reported = 0
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._undo: list[Callable[[], object]] = []

    @property
    def dropped(self) -> int:
        """Lines that were lost because more were waiting than the queue holds."""
        return self._handler.dropped

    def start(self, level: str) -> None:
        """Every logger of the process writes here, as do warnings and exceptions that nobody catches."""
        for name, at_least in (("", "WARNING"), ("nightdesk", level.upper()), ("uvicorn", "INFO")):
            self._take_over(logging.getLogger(name)).setLevel(at_least)
        # Its lines repeat the path, and with it a token; the web room writes its own with the route's template.
        self._take_over(logging.getLogger("uvicorn.access")).setLevel("WARNING")
        self._take_over(logging.getLogger("uvicorn.error"))
        logging.getLogger().handlers = [self._handler]
        logging.captureWarnings(True)
        before = threading.excepthook
        self._undo += [lambda: logging.captureWarnings(False), lambda: setattr(threading, "excepthook", before)]
        threading.excepthook = _log_thread_death
        sys.excepthook = self._last_words
        self._thread.start()

    def close(self) -> None:
        """Every line logged before this call has been written, unless the terminal blocks for more than 5 s.

        An exception that ends the process later is still printed without secrets.
        """
        while self._undo:
            self._undo.pop()()
        if self._thread.is_alive():
            with suppress(queue.Full):
                self._handler.queue.put(None, timeout=5)
            self._thread.join(timeout=5)
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take_over(self, logger: logging.Logger) -> logging.Logger:
        before = (logger.handlers, logger.level, logger.propagate)

        def restore() -> None:
            logger.handlers, level, logger.propagate = before
            logger.setLevel(level)

        self._undo.append(restore)
        logger.handlers, logger.propagate = [], True
        return logger

    def _last_words(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        elif self._undo:
            logging.getLogger("nightdesk").critical("stopped by an error", exc_info=(kind, error, trace))
            self.close()
        else:
            self._to_stream(_redacted_traceback(self._redactor, (kind, error, trace)))

    def _write_all(self) -> None:
        while (record := self._handler.queue.get()) is not None:
            self._write(record)
            lost = self._handler.dropped - self._reported
            if lost:
                self._reported += lost
                self._write(_note(logging.WARNING, f"{lost} log lines were lost: more came than could be written"))

    def _write(self, record: logging.LogRecord) -> None:
        try:
            entry = _entry(record, self._redactor)
            for_file, for_stream = self._render_file(entry), self._render(entry)
        except Exception:  # noqa: BLE001 - a line that cannot be made is reported, and never ends the thread
            text = f"a log line of {record.name}, {record.filename}:{record.lineno}, could not be made"
            entry = _entry(_note(logging.ERROR, text), self._redactor)
            for_file, for_stream = self._render_file(entry), self._render(entry)
        self._to_file(for_file, datetime.fromtimestamp(record.created, UTC))
        self._to_stream(for_stream)

    def _to_file(self, line: str, at: datetime) -> None:
        if self._file is None:
            return
        try:
            self._file.write(line, at)
        except OSError as e:
            self._file.close()
            if self._file_works:
                text = f"the log file cannot be written: {e.strerror}; lines go to the terminal alone"
                self._to_stream(self._render(_entry(_note(logging.ERROR, text), self._redactor)))
            self._file_works = False
        else:
            self._file_works = True

    def _to_stream(self, line: str) -> None:
        # Where the terminal is gone, or was closed, the file still has the line.
        with suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()


def open_logs(
    config: RuntimeConfig, *, redactor: Redactor, directory: Path | None = None, stream: TextIO | None = None
) -> Logs:
    """The logs are open and take every line: to the stream (stderr where None), and to files in the directory."""
    stream = sys.stderr if stream is None else stream
    pretty = config.log_format == "pretty" or (config.log_format == "auto" and stream.isatty())
    render = _pretty_renderer(colors=stream.isatty()) if pretty else _json_renderer()
    file = LogFile(directory, max_bytes=config.log_max_bytes, days=config.log_days) if directory else None
    logs = Logs(redactor=redactor, stream=stream, render=render, file=file)
    logs.start(config.log_level)
    return logs


class _Enqueue(logging.Handler):
    """Takes a line in the caller's thread and leaves the work to the log thread."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: queue.Queue[logging.LogRecord | None] = queue.Queue(QUEUE_LENGTH)
        self.dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            fresh = copy.copy(record)
            fresh.msg, fresh.args = record.getMessage(), None
        except Exception:  # noqa: BLE001 - the arguments do not fit the text; the standard way would print them raw
            text = f"a log line of {record.name}, {record.filename}:{record.lineno}, could not be made"
            fresh = _note(logging.ERROR, text)
        fresh.__dict__["bound"] = _bound.get()
        try:
            self.queue.put_nowait(fresh)
        except queue.Full:
            self.dropped += 1


def _note(level: int, text: str) -> logging.LogRecord:
    return logging.LogRecord(__name__, level, __file__, 0, text, None, None)


def _entry(record: logging.LogRecord, redactor: Redactor) -> Entry:
    at = datetime.fromtimestamp(record.created, UTC)
    entry: Entry = {
        "timestamp": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": redactor.text(record.name),
        "event": redactor.text(str(record.msg)),
    }
    extra = {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
    for name, value in {**record.__dict__.get("bound", {}), **extra}.items():
        entry[f"{name}_" if name in entry or name == "exception" else name] = redactor.value(value, key=name)
    if record.exc_info and record.exc_info[1]:
        entry["exception"] = _redacted_traceback(redactor, record.exc_info)
    if record.stack_info:
        entry["stack"] = redactor.text(record.stack_info)
    return entry


def _redacted_traceback(redactor: Redactor, info: Any) -> str:
    return redactor.text("".join(traceback.format_exception(*info)).rstrip())


def _log_thread_death(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
        info = (args.exc_type, args.exc_value, args.exc_traceback)
        name = args.thread.name if args.thread else "?"
        logging.getLogger("nightdesk").critical("a thread died", exc_info=info, extra={"thread_name": name})


def _json_renderer() -> Render:
    # Loaded here: the rooms that log need only the standard library.
    from structlog.processors import JSONRenderer

    # ASCII alone, so that no escape sequence or bidirectional mark reaches a terminal that shows the file.
    renderer = JSONRenderer(ensure_ascii=True, allow_nan=False)
    return lambda entry: str(renderer(None, "", entry))


def _pretty_renderer(*, colors: bool) -> Render:
    from structlog.dev import ConsoleRenderer

    renderer = ConsoleRenderer(colors=colors, pad_event_to=40)

    def render(entry: Entry) -> str:
        plain = {_escaped(name): _escaped_deep(value) for name, value in entry.items() if name != "exception"}
        # Indented, so that a text inside an exception cannot pass for a line of its own.
        trace = [f"    | {_escaped(each)}" for each in str(entry.get("exception", "")).splitlines()]
        return "\n".join([str(renderer(None, "", plain)), *trace])

    return render


def _escaped(text: str) -> str:
    return _CONTROL.sub(lambda each: each[0].encode("unicode_escape").decode(), text)


def _escaped_deep(value: object) -> object:
    if isinstance(value, str):
        return _escaped(value)
    if isinstance(value, dict):
        return {_escaped(str(name)): _escaped_deep(each) for name, each in value.items()}
    return [_escaped_deep(each) for each in value] if isinstance(value, list) else value
