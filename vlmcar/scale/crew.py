"""Two hundred processes that share one folder, some of them killed in the middle: what a cluster does to our files."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import random
import signal
import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vlmcar.scale.fake import FakeRun, Worker, looked_at
from vlmcar.types import VlmcarError

LOOKS = 3
"""Runs going on that a writer reads before each of its own, as a report would."""
_FIRST_GUESS = 0.5
"""Seconds that a run is taken to last before any has ended."""
_NEVER = float("inf")


@dataclass
class Study:
    """What was seen while the runs were written; times in seconds."""

    writers: int
    runs: int
    seconds: float = 0.0
    killed: int = 0
    """Writers killed in the middle of a run."""
    states: Counter[str] = field(default_factory=Counter)
    """Runs by what their last writer found: ``new``, ``resume``, ``trained`` or ``complete``."""
    durations: list[float] = field(default_factory=list)
    """From a run's claim to its result."""
    run_locks: list[float] = field(default_factory=list)
    """Until a run's own lock was had; nobody waits for it, so this is the machine's own time."""
    program_waits: list[float] = field(default_factory=list)
    """Of writers that asked for a program while another made it."""
    handovers: list[float] = field(default_factory=list)
    """Of the same, from the moment that it was there to the moment that they had it."""
    lock_attempts: int = 0
    """System calls that tried to take a lock."""
    asked: Counter[str] = field(default_factory=Counter)
    """Task -> writers that found no program."""
    making: Counter[str] = field(default_factory=Counter)
    """Task -> generations begun."""
    made: Counter[str] = field(default_factory=Counter)
    """Task -> generations ended."""
    makers_killed: int = 0
    duels: int = 0
    """Runs that two writers claimed at the same moment."""
    won_by_both: int = 0
    """Of these; must be 0."""
    refusals: list[str] = field(default_factory=list)
    """What the losers were told."""
    looks: int = 0
    half_read: Counter[str] = field(default_factory=Counter)
    """File -> how often it was not whole when somebody looked."""
    failed: list[str] = field(default_factory=list)
    """What went wrong with runs that nobody ended."""
    memory: dict[str, float] = field(default_factory=dict)
    """Megabytes of all writers together, shared pages counted once, and of the largest of them."""


@dataclass(eq=False)
class _Writer:
    process: Any
    connection: Connection
    run: int | None = None
    duel: bool = False
    making: bool = False
    dies_at: float = _NEVER
    killed: bool = False


class Crew:
    """Gives runs to writers, kills some of them, and gives what they had to others.

    Args:
        runs: the plan.
        results: where everything is written.
        writers: processes at the same time.
        kills: runs whose writer is to be killed (``kill -9``); some end before. And one maker of a program.
        duels: runs that two writers claim at once, all at the beginning: at most half as many as writers.
        seed: of who is killed, and when.
    """

    def __init__(
        self, runs: Sequence[FakeRun], results: Path, writers: int, kills: int, duels: int, seed: int
    ) -> None:
        self.runs, self.results = runs, results
        self.chance = random.Random(seed)
        self.study = Study(writers, len(runs))
        self._duels = deque(range(min(duels, writers // 2)))
        self._queue = deque(range(len(self._duels), len(runs)))
        self._to_kill = set(self.chance.sample(list(self._queue), min(kills, len(self._queue))))
        self._maker_to_kill = kills > 0
        self._done: set[int] = set()
        self._pairs: defaultdict[int, list[_Writer]] = defaultdict(list)
        self._winners: defaultdict[int, list[_Writer]] = defaultdict(list)
        self._losers: Counter[int] = Counter()
        self._asked_at: dict[tuple[int, str], float] = {}
        self._got: list[tuple[str, float, float]] = []
        self._made_at: dict[str, float] = {}
        self._writers: list[_Writer] = []

    def work(self, bar: bool | None = None) -> Study:
        """Everything, until each run has been ended by somebody or has failed.

        Args:
            bar: show one; ``None``: if this is a terminal.
        """
        tqdm.monitor_interval = 0  # its thread would not go along with fork
        started = time.monotonic()
        try:
            self._writers = [self._hire() for _ in range(self.study.writers)]
            with tqdm(
                total=len(self.runs),
                desc=f"{self.study.writers} writers",
                unit="run",
                disable=None if bar is None else not bar,
            ) as shown:
                while len(self._done) < len(self.runs):
                    self._give()
                    self._listen()
                    self._kill()
                    if not self.study.memory and len(self._done) >= len(self.runs) // 2:
                        self.study.memory = _memory(writer.process.pid for writer in self._writers)
                    shown.update(len(self._done) - shown.n)
        finally:
            for writer in self._writers:
                writer.process.kill()
                writer.process.join()
                writer.connection.close()
        self.study.seconds = time.monotonic() - started
        self._sum_up_waits()
        return self.study

    def _hire(self) -> _Writer:
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(
            target=_write, args=(theirs, self.runs, self.results), daemon=True
        )
        process.start()
        theirs.close()
        return _Writer(process, ours)

    def _give(self) -> None:
        idle = [writer for writer in self._writers if writer.run is None]
        while self._duels and len(idle) >= 2:
            number = self._duels.popleft()
            self.study.duels += 1
            self._pairs[number] = [idle.pop(), idle.pop()]
            for writer in self._pairs[number]:
                self._start(writer, number, duel=True)
        while self._queue and idle:
            self._start(idle.pop(), self._queue.popleft())

    def _start(self, writer: _Writer, number: int, duel: bool = False) -> None:
        writer.run, writer.duel = number, duel
        if number in self._to_kill:
            self._to_kill.discard(number)
            last = self.study.durations[-1] if self.study.durations else _FIRST_GUESS
            writer.dies_at = time.monotonic() + self.chance.random() * last
        going_on = [other.run for other in self._writers if other.run not in (None, number)]
        looks = self.chance.sample(going_on, min(LOOKS, len(going_on)))
        writer.connection.send((number, duel, looks))

    def _listen(self) -> None:
        """Hear what writers have to say, but not longer than until the next of them is to be killed."""
        patience = min(writer.dies_at for writer in self._writers) - time.monotonic()
        by_connection: dict[Any, _Writer] = {writer.connection: writer for writer in self._writers}
        for connection in wait(list(by_connection), timeout=max(0.0, min(patience, 0.2))):
            self._hear(by_connection[connection])

    def _hear(self, writer: _Writer) -> bool:
        """One message; false: it is dead and has said everything."""
        try:
            what, content = writer.connection.recv()
        except (EOFError, OSError):
            self._replace(writer)
            return False
        getattr(self, f"_{what}")(writer, content)
        return True

    def _kill(self) -> None:
        now = time.monotonic()
        for writer in [writer for writer in self._writers if writer.dies_at <= now]:
            writer.killed = True
            writer.process.kill()
            writer.process.join()
            while self._hear(writer):  # what it said before still counts
                pass

    def _replace(self, dead: _Writer) -> None:
        if dead.run is not None and dead.killed:
            self.study.killed += 1
            self.study.makers_killed += dead.making
            self._queue.append(dead.run)  # others go on with it
        elif dead.run is not None:
            self._end(dead, f"run {dead.run}: its writer died by itself")
        dead.process.join()
        dead.connection.close()
        self._writers[self._writers.index(dead)] = self._hire()

    def _event(self, writer: _Writer, content: tuple[str, str, float]) -> None:
        """Something about a program; messages of two writers may come in any order."""
        what, task, moment = content
        if what == "asks":
            self.study.asked[task] += 1
            self._asked_at[writer.process.pid, task] = moment
        elif what == "got":
            self._got.append((task, self._asked_at[writer.process.pid, task], moment))
        elif what == "making":
            self.study.making[task] += 1
            writer.making = True
            if self._maker_to_kill and not writer.duel:
                self._maker_to_kill = False
                writer.dies_at = moment
        else:
            self.study.made[task] += 1
            self._made_at[task] = moment
            writer.making = False

    def _holds(self, writer: _Writer, _: None) -> None:
        """It has claimed a run that another claims, too; both wait until both have tried."""
        assert writer.run is not None
        self._winners[writer.run].append(writer)
        self._judge(writer.run)

    def _refused(self, writer: _Writer, told: str) -> None:
        number = writer.run
        assert number is not None
        if not writer.duel:
            self._end(writer, f"run {number} was refused: {told}")
            return
        writer.run, writer.duel = None, False
        self.study.refusals.append(told)
        self._losers[number] += 1
        self._judge(number)

    def _judge(self, number: int) -> None:
        if len(self._winners[number]) + self._losers[number] < 2:
            return
        self.study.won_by_both += len(self._winners[number]) > 1
        for writer in self._winners[number]:
            writer.connection.send("go on")
        if not self._winners[number]:
            self._done.add(number)
            self.study.failed.append(f"run {number}: both of two writers were refused")

    def _ended(self, writer: _Writer, seen: dict[str, Any]) -> None:
        self.study.states[seen["state"]] += 1
        self.study.run_locks.append(seen["locked"])
        self.study.lock_attempts += seen["attempts"]
        self.study.looks += seen["looks"]
        self.study.half_read.update(seen["half_read"])
        if not writer.duel:
            self.study.durations.append(seen["seconds"])
        self._end(writer)

    def _failed(self, writer: _Writer, told: str) -> None:
        self._end(writer, f"run {writer.run}: {told}")

    def _end(self, writer: _Writer, trouble: str | None = None) -> None:
        assert writer.run is not None
        self._done.add(writer.run)
        writer.run, writer.duel, writer.making, writer.dies_at = None, False, False, _NEVER
        if trouble:
            self.study.failed.append(trouble)

    def _sum_up_waits(self) -> None:
        for task, asked, got in self._got:
            there = self._made_at.get(task, _NEVER)
            if got > there:  # else it was the one that made it
                self.study.program_waits.append(got - asked)
                self.study.handovers.append(got - max(there, asked))


def _write(connection: Connection, runs: Sequence[FakeRun], results: Path) -> None:
    """What a writer does until its crew is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(5)  # or the crew would not be heard among two hundred of these
    crew, attempts = os.getppid(), _counted_lock_attempts()

    def hold() -> None:
        connection.send(("holds", None))
        connection.recv()

    worker = Worker(results, lambda what, task: connection.send(("event", (what, task, time.monotonic()))))
    while os.getppid() == crew:
        if not connection.poll(5):
            continue
        number, duel, looks = connection.recv()
        read = [item for other in looks for item in looked_at(runs[other], results)]
        before, started = attempts[0], time.monotonic()
        try:
            seen = worker.do(runs[number], hold) if duel else worker.do(runs[number])
        except VlmcarError as error:
            connection.send(("refused", str(error)))
            continue
        except Exception as error:  # whatever it is, it is what this study is after
            connection.send(("failed", repr(error)))
            continue
        seen |= {"seconds": time.monotonic() - started, "attempts": attempts[0] - before}
        seen |= {"looks": len(read), "half_read": Counter(name for name, whole in read if not whole)}
        connection.send(("ended", seen))


def _counted_lock_attempts() -> list[int]:
    """From now on, this process counts its system calls for locks in the list's only item."""
    count, real = [0], fcntl.flock

    def counted(file: Any, operation: int) -> None:
        count[0] += bool(operation & fcntl.LOCK_EX)
        real(file, operation)

    fcntl.flock = counted
    return count


def _memory(pids: Iterable[int]) -> dict[str, float]:
    """Megabytes of these processes: the sum, with shared pages shared out between them, and the largest."""
    sizes = []
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        sizes += [int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")]
    return {"together": sum(sizes), "largest": max(sizes, default=0.0)}
