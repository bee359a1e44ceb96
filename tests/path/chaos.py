"""Kills the desk again and again in the middle of its work, then asks the oracle what became of every order.

`python -m tests.path.chaos --n 500 [--seed S] [--postgres URL] [--class A|B]`

One exchange runs as a process of its own, loses a tenth of its answers and takes some orders late. Desks are forked
from this process, recover, take alerts, and are killed: at a random moment, while they recover (five times in a row),
or at a named crash point; every 25th is the whole server under HTTP load. The seed decides alerts, faults and when each
kill is due; the operating system decides what a process is doing at that moment, so a seed repeats the attack and not
the instruction.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx2

from nightdesk.runtime.database import Database
from nightdesk.venues.paper.ledger import NAME, read_ledger
from tests.path.alerts import Asked
from tests.path.oracle import Verdict, judge, read_answers
from tests.path.points import POINTS
from tests.path.schemas import schema_of_its_own
from tests.path.victim import (
    PAPER,
    DeskPlan,
    ExchangePlan,
    desk_settings,
    ended,
    fork_desk,
    fork_exchange,
    preload,
    url_of,
)
from tests.path.whole import Life, live_and_die

ACCOUNTS = ("left", "right")
LOSS = 0.1
FAULTS: tuple[dict[str, object], ...] = (
    {"kind": "late_accept", "verb": "order", "probability": 0.02, "delay": 0.6},
    {"kind": "late_accept", "verb": "order", "probability": 0.01, "delay": 2.5},
    {"kind": "hang_after_accept", "verb": "order", "probability": 0.01},
    {"kind": "lost_request", "verb": "order", "probability": 0.02},
    {"kind": "reject", "verb": "order", "probability": 0.02},
    {"kind": "reject_and_hang", "verb": "order", "probability": 0.01},
    {"kind": "http_500_html", "verb": "order", "probability": 0.01},
    {"kind": "garbage_200", "verb": "order", "probability": 0.01},
    {"kind": "partial", "verb": "order", "probability": 0.1, "parts": 3},
    {"kind": "lost_reply", "verb": "cancel", "probability": 0.1},
    {"kind": "lost_request", "verb": "cancel", "probability": 0.05},
    {"kind": "late_accept", "verb": "cancel", "probability": 0.03, "delay": 0.6},
    {"kind": "duplicate", "verb": "report", "probability": 0.1},
    {"kind": "reorder", "verb": "report", "probability": 0.1},
)
"""Beside the lost answers: rates are per request, and low enough that most of what is sent gets through."""
WHOLE_EVERY = 25
NAMED_EVERY = 5
LONG_EVERY = 50
"""Such a desk lives long enough to prove absences and to compare itself with the exchange while it trades."""
QUIET_WITHIN = 40.0


@dataclass(slots=True, kw_only=True)
class Run:
    """One run of the harness: where it keeps things, and what it has counted."""

    root: Path
    seed: int
    unique: bool
    postgres: str
    url: str
    rng: random.Random
    crashes: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    read: int = 0
    waiting: dict[str, str] = field(default_factory=dict)
    """Asked and not answered, by key: asked again in the next life, as a sender would."""
    ups: list[tuple[float, float]] = field(default_factory=list)
    cold: list[float] = field(default_factory=list)
    """How long the whole server took to answer, each time."""
    answers: Counter[str] = field(default_factory=Counter)

    @property
    def log(self) -> Path:
        """What was asked and answered."""
        return self.root / "answers.jsonl"

    @property
    def database(self) -> Database:
        """Where the desk keeps its records."""
        return Database(self.postgres or self.root / "desk" / "nightdesk.db")

    @property
    def settings(self) -> dict[str, str]:
        """Of every desk of the run."""
        settings = desk_settings(self.root / "desk", self.url, ACCOUNTS, unique=self.unique)
        return {**settings, "runtime.database": self.postgres}

    def again(self) -> tuple[Asked, ...]:
        """What nobody answered yet."""
        return tuple(Asked(key, body) for key, body in self.waiting.items())

    def plan(self, **changed: object) -> DeskPlan:
        """The next life: it first asks again what nobody answered."""
        plan = DeskPlan(
            settings=self.settings,
            log=str(self.log),
            asked=self.again(),
            seed=self.rng.randrange(2**32),
            prefix=f"{self.seed}-{self.crashes}",
        )
        return replace(plan, **changed)  # type: ignore[arg-type]  # names are checked by the dataclass

    def listen(self) -> None:
        """What the last life wrote is known."""
        lines = self.log.read_bytes()[self.read :] if self.log.exists() else b""
        whole = lines[: lines.rfind(b"\n") + 1]
        self.read += len(whole)
        for line in whole.splitlines():
            fields = json.loads(line)
            if "asked" in fields:
                self.waiting[fields["asked"]] = fields["body"]
            elif "answered" in fields:
                self.waiting.pop(fields["answered"], None)
                self.answers[fields["code"] or fields["outcome"]] += 1
            elif "up" in fields:
                self.ups.append((fields["open"], fields["start"]))


class Broken(Exception):
    """A desk ended in a way nobody asked for."""


def one_life(run: Run, *, seconds: float, crash_at: str = "") -> None:
    """One desk lived for so long, or until it reached the named point, and was killed."""
    pid = fork_desk(run.plan(crash_at=crash_at))
    code = ended(pid, seconds)
    if code is None:
        os.kill(pid, signal.SIGKILL)
        code = ended(pid, 10.0)
    run.listen()
    if code != -signal.SIGKILL:
        errors = run.log.with_suffix(".errors").read_text()[-3000:]
        raise Broken(f"desk {run.crashes} ended by itself with {code}:\n{errors}")
    run.crashes += 1


def kill_whole_server(run: Run) -> None:
    """`nightdesk run` lived under HTTP load, or was about to, and was killed."""
    life = Life(
        data=run.root / "desk",
        settings={key: value for key, value in run.settings.items() if key != "runtime.data" and value},
        log=run.log,
        again=run.again(),
        seed=run.rng.randrange(2**32),
        prefix=f"{run.seed}-{run.crashes}",
        seconds=run.rng.uniform(0.05, 0.6),
        while_starting=run.rng.random() < 0.2,
    )
    try:
        took = live_and_die(life)
    except (RuntimeError, TimeoutError) as error:
        raise Broken(f"whole server {run.crashes}: {error}") from error
    run.listen()
    run.crashes += 1
    if took is not None:
        run.cold.append(took)


def kill_many(run: Run, count: int, *, whole: bool) -> None:
    """So many kills, of all kinds."""
    in_a_row = 0
    while run.crashes < count:
        if whole and run.crashes % WHOLE_EVERY == WHOLE_EVERY - 1:
            run.kinds["whole server"] += 1
            kill_whole_server(run)
        elif run.crashes % LONG_EVERY == LONG_EVERY // 2:
            run.kinds["after a while"] += 1
            one_life(run, seconds=run.rng.uniform(2.5, 4.0))
        elif in_a_row:
            in_a_row -= 1
            run.kinds["while recovering"] += 1
            one_life(run, seconds=run.rng.uniform(0.0, 0.06))
        elif run.crashes % NAMED_EVERY == NAMED_EVERY - 1:
            run.kinds["named point"] += 1
            point = run.rng.choice(POINTS)
            one_life(run, seconds=0.6, crash_at=f"{point}:{run.rng.randint(1, 4)}")
        else:
            run.kinds["random moment"] += 1
            one_life(run, seconds=run.rng.uniform(0.0, 0.4))
            if run.rng.random() < 0.03:
                in_a_row = 5


def settle(run: Run) -> Verdict:
    """The desk lives on without new alerts until the oracle finds nothing or time is up; then it is told to stop."""
    pid = fork_desk(run.plan(seed=None))
    deadline = time.monotonic() + QUIET_WITHIN
    try:
        while True:
            early = ended(pid, 0.3)
            verdict = ask_oracle(run)
            quiet = verdict.clean and not verdict.in_doubt and not verdict.states
            if early is not None or quiet or time.monotonic() > deadline:
                break
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        stopped = ended(pid, 15.0) if early is None else early
        if stopped is None:
            os.kill(pid, signal.SIGKILL)
            ended(pid, 5.0)
    run.listen()
    if stopped != 0:
        verdict.wrong.append(f"the last desk ended with {stopped} and not by SIGTERM with 0")
    verdict = ask_oracle(run) if verdict.clean else verdict
    verdict.wrong.extend(f"account {state}" for state in verdict.states)
    verdict.lost.extend(f"{key}: was asked and never answered" for key in run.waiting)
    return verdict


def ask_oracle(run: Run) -> Verdict:
    """What the oracle says now."""
    run.listen()
    try:
        return judge(run.database, read_ledger(run.root / "exchange" / NAME), read_answers(run.log))
    except IndexError:
        return Verdict(wrong=["the desk has no database yet"])


@contextlib.contextmanager
def exchange(root: Path, *, unique: bool, seed: int) -> Iterator[str]:
    """The URL of an exchange with all faults in force, which ends with the block."""
    paper = {**PAPER, "unique_ids": str(unique).lower()}
    folder = root / "exchange"
    pid = fork_exchange(ExchangePlan(folder=str(folder), paper=paper, loss=LOSS, seed=seed, lives=3600))
    try:
        url = url_of(folder)
        for fault in FAULTS:
            httpx2.post(f"{url}/v1/faults", json={"times": None, **fault}).raise_for_status()
        yield url
    finally:
        os.kill(pid, signal.SIGTERM)
        if ended(pid, 5.0) is None:
            os.kill(pid, signal.SIGKILL)
            ended(pid, 5.0)


def run_chaos(count: int, *, seed: int, unique: bool = True, postgres: str = "", whole: bool = True) -> int:
    """The exit code of one run; everything it found is printed, and the last line sums it up."""
    root = Path(tempfile.mkdtemp(prefix="nightdesk-chaos-"))
    began = time.monotonic()
    preload(root / "scout")
    verdict = Verdict()
    name = root.name.replace("-", "_").lower()
    own = schema_of_its_own(postgres, name) if postgres else contextlib.nullcontext("")
    with exchange(root, unique=unique, seed=seed) as url, own as database:
        run = Run(root=root, seed=seed, unique=unique, postgres=database, url=url, rng=random.Random(seed))
        killing = time.monotonic()
        try:
            kill_many(run, count, whole=whole)
            killed = time.monotonic()
            httpx2.delete(f"{url}/v1/faults").raise_for_status()
            verdict = settle(run)
        except Broken as error:
            killed = time.monotonic()
            verdict.wrong.append(str(error))
        _tell(run, verdict, killed - killing, time.monotonic() - began, postgres)
    if verdict.clean:
        shutil.rmtree(root)
        return 0
    return 1


def _tell(run: Run, verdict: Verdict, seconds: float, total: float, postgres: str) -> None:
    say = sys.stdout.write
    kinds = ", ".join(f"{count} {kind}" for kind, count in run.kinds.most_common())
    say(f"kills: {kinds}; {run.crashes / seconds * 60:.0f} a minute; {total:.0f} s in all\n")
    if run.ups:
        opened, started = (statistics.median(times) * 1000 for times in zip(*run.ups, strict=True))
        say(f"a restart costs {opened + started:.0f} ms (median of {len(run.ups)}: open {opened:.0f},")
        say(f" recover {started:.0f}); database {'PostgreSQL' if run.postgres else 'SQLite'},")
        say(f" class {'A' if run.unique else 'B'}, seed {run.seed}\n")
    if run.cold:
        say(f"the whole server answers {statistics.median(run.cold):.1f} s after its start (median)\n")
    say(f"answers: {', '.join(f'{count} {name}' for name, count in run.answers.most_common())}\n")
    for line in verdict.findings()[:60]:
        say(line + "\n")
    for line in verdict.in_doubt[:20]:
        say(f"in doubt: {line}\n")
    if not verdict.clean:
        again = f"--n {run.crashes} --seed {run.seed} --class {'A' if run.unique else 'B'}"
        again += f" --postgres {postgres}" if postgres else ""
        say(f"again: python -m tests.path.chaos {again}; everything is kept in {run.root}\n")
    counts = f"lost {len(verdict.lost)} duplicated {len(verdict.duplicated)} unknown {len(verdict.unknown)}"
    say(f"crashes {run.crashes} intents {verdict.intents} orders {verdict.orders} {counts}\n")
    sys.stdout.flush()


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.path.chaos", description="Kill the desk, then count.")
    parser.add_argument("--n", type=int, default=500, help="how many kills")
    parser.add_argument("--seed", type=int, default=None, help="of an earlier run, to attack in the same way")
    parser.add_argument("--postgres", default="", help="the URL of a database; a schema of its own is made and dropped")
    parser.add_argument("--class", dest="venue", choices=("A", "B"), default="A", help="what the exchange can prove")
    parser.add_argument("--no-whole", action="store_true", help="leave out the kills of the whole server")
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(2**31)
    sys.stdout.write(f"seed {seed}\n")
    unique = given.venue == "A"
    return run_chaos(given.n, seed=seed, unique=unique, postgres=given.postgres, whole=not given.no_whole)


if __name__ == "__main__":
    sys.exit(main())
