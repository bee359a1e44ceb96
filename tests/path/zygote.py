"""A parent without threads: it has everything imported, forks exchanges and desks on demand, and waits for them.

Tests run in processes that have threads, and a fork of those is not safe. One JSON object a line, in and out.
"""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.path.alerts import Asked
from tests.path.victim import DeskPlan, ExchangePlan, ended, fork_desk, fork_exchange, preload


def main() -> None:
    """Answers until its input ends, and then takes all its children with it."""
    preload(Path(sys.argv[1]))
    children: set[int] = set()
    _say({"ready": True})
    for line in sys.stdin:
        asked = json.loads(line)
        if "exchange" in asked:
            pid = fork_exchange(ExchangePlan(**asked["exchange"]))
            children.add(pid)
            _say({"pid": pid})
        elif "desk" in asked:
            fields = asked["desk"]
            plan = DeskPlan(**{**fields, "asked": tuple(Asked(**each) for each in fields["asked"])})
            pid = fork_desk(plan)
            children.add(pid)
            _say({"pid": pid})
        else:
            code = ended(asked["wait"], asked["seconds"])
            if code is not None:
                children.discard(asked["wait"])
            _say({"code": code})
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        ended(pid, 5.0)


def _say(fields: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


class Zygote:
    """The tests' side of it."""

    def __init__(self, folder: Path) -> None:
        argv = [sys.executable, "-m", "tests.path.zygote", str(folder / "scout")]
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root)
        if not self._answer()["ready"]:
            raise RuntimeError("the zygote did not start")

    def exchange(self, plan: ExchangePlan) -> int:
        """The pid of a new exchange."""
        return int(self._ask({"exchange": asdict(plan)})["pid"])

    def desk(self, plan: DeskPlan) -> int:
        """The pid of a new desk."""
        return int(self._ask({"desk": asdict(plan)})["pid"])

    def ended(self, pid: int, seconds: float) -> int | None:
        """How a child ended, None if it still lives after so long."""
        code = self._ask({"wait": pid, "seconds": seconds})["code"]
        return None if code is None else int(code)

    def close(self) -> None:
        """All its children are gone, and so is it."""
        if self._process.stdin is not None and self._process.stdout is not None:
            self._process.stdin.close()
            try:
                self._process.wait(20.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(5.0)
            self._process.stdout.close()

    def _ask(self, fields: dict[str, Any]) -> dict[str, Any]:
        if self._process.stdin is None:
            raise RuntimeError("the zygote was closed")
        self._process.stdin.write(json.dumps(fields) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            raise RuntimeError("the zygote has ended; what it had to say stands above")
        answer: dict[str, Any] = json.loads(line)
        return answer


if __name__ == "__main__":
    main()
