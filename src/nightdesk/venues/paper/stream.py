"""Reports on their way to those who listen, disturbed as scripted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from nightdesk.model.execution import ExecutionReport
from nightdesk.model.identifiers import AccountId, Symbol
from nightdesk.venues.paper.faults import ON_REPORTS, Fault, FaultKind, FaultScript
from nightdesk.venues.paper.rules import Rules

Listener = Callable[[ExecutionReport], None]


class Stream:
    """The listeners of each account."""

    def __init__(self, script: FaultScript, rules: Mapping[Symbol, Rules]) -> None:
        self._script = script
        self._rules = rules
        self._listeners: dict[AccountId, list[Listener]] = {}

    def listen(self, account: AccountId, listener: Listener) -> Callable[[], None]:
        """Every report from now on reaches the listener, until the returned function is called."""
        listeners = self._listeners.setdefault(account, [])
        listeners.append(listener)

        def stop() -> None:
            if listener in listeners:
                listeners.remove(listener)

        return stop

    def publish(self, account: AccountId, reports: Sequence[ExecutionReport]) -> None:
        """All listeners of the account have been told, in this order unless a fault says otherwise."""
        listeners = self._listeners.get(account)
        if not listeners or not reports:
            return
        fault = self._script.take(
            ON_REPORTS, "report", account=account, client_id=reports[0].cl_ord_id or "", symbol=reports[0].symbol or ""
        )
        for report in self._disturbed(reports, fault) if fault is not None else reports:
            for listener in tuple(listeners):
                listener(report)

    def _disturbed(self, reports: Sequence[ExecutionReport], fault: Fault) -> list[ExecutionReport]:
        if fault.kind is FaultKind.REORDER:
            return list(reversed(reports))
        if fault.kind is FaultKind.DUPLICATE:
            return [report for report in reports for _ in range(fault.parts)]
        return [*reports, *(self._contradicted(report) for report in reports if report.last_px is not None)]

    def _contradicted(self, report: ExecutionReport) -> ExecutionReport:
        if report.last_px is None or report.symbol is None:
            return report
        return replace(report, last_px=report.last_px + self._rules[report.symbol].instrument.tick_size)
