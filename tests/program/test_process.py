"""From start to end: nothing leaks, nothing outlives the trainer; and no byte that comes back is trusted."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from vlmcar.program.errors import ProgramCrashed, ProgramError, ProgramTimedOut
from vlmcar.program.judge import ProgramJudge
from vlmcar.program.process import Clock, Deadline
from vlmcar.program.sandbox import Worker
from vlmcar.types import VlmcarError

from .helpers import BRIGHT, LEVEL, SHAPE, grey, program, sandbox

ROOT = Path(__file__).parents[2]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def mappings() -> int:
    return Path("/proc/self/maps").read_text().count("memfd:vlmcar")


def children() -> list[int]:
    """Processes that this one started, zombies too."""
    return [
        int(pid) for pid in Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
    ]


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie, left to whoever inherited it, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_200_workers_killed_and_replaced_leave_nothing_behind() -> None:
    before = (descriptors(), mappings(), children())
    seen: set[int] = set()
    with ProgramJudge(program(BRIGHT), sandbox(), remember=0) as judge:
        for cycle in range(200):
            assert judge.progress(grey(0), grey(cycle)) == (cycle > 100)
            (worker,), (spare,) = judge._workers.values(), judge._spares.values()
            seen |= {worker.pid, spare.pid}
            assert set(children()) - set(before[2]) == {worker.pid, spare.pid}
            os.kill(worker.pid, signal.SIGKILL)
    assert (descriptors(), mappings(), children()) == before
    assert len(seen) == 201
    assert not any(alive(pid) for pid in seen)


@pytest.mark.parametrize("has_said_that_it_is_ready", [False, True])
def test_a_lost_spare_is_no_loss(has_said_that_it_is_ready: bool) -> None:
    with ProgramJudge(program(BRIGHT), sandbox(), remember=0) as judge:
        judge.progress(grey(0), grey(0))
        (worker,), (spare,) = judge._workers.values(), judge._spares.values()
        if has_said_that_it_is_ready:
            assert spare._poll.poll(30_000)
        os.kill(spare.pid, signal.SIGKILL)
        os.kill(worker.pid, signal.SIGKILL)
        assert judge.progress(grey(0), grey(255)) == 1


def test_the_spare_is_what_replaces_a_worker() -> None:
    with ProgramJudge(program(BRIGHT), sandbox(), remember=0) as judge:
        judge.progress(grey(0), grey(0))
        (worker,), (spare,) = judge._workers.values(), judge._spares.values()
        os.kill(worker.pid, signal.SIGKILL)
        judge.progress(grey(0), grey(0))
        assert next(iter(judge._workers.values())).pid == spare.pid
    with ProgramJudge(program(BRIGHT), sandbox(), hot_spare=False) as judge:
        judge.progress(grey(0), grey(0))
        assert judge._spares == {}


def test_two_programs_do_not_meet() -> None:
    one, other = (sandbox().start(program(body), SHAPE) for body in (BRIGHT, LEVEL))
    try:
        assert one.pid != other.pid
        assert one.run(grey(0), grey(51)) == 0
        np.testing.assert_allclose(other.run(grey(0), grey(51)), [[0.2]], rtol=1e-6)
        one.close()
        np.testing.assert_allclose(other.run(grey(0), grey(255)), [[1]])
    finally:
        one.close()
        other.close()


PARENT = """
import os, sys
from tests.program.helpers import grey, program
from vlmcar.program.judge import ProgramJudge
from vlmcar.program import sandbox

sandbox.LAYERS -= {sys.argv[2]}
judge = ProgramJudge(program("while frame[0, 0, 0]: pass\\nreturn True"), sandbox.Sandbox(30.0, 60.0, 512, 4, False))
judge.progress(grey(0), grey(0))
(worker,), (spare,) = judge._workers.values(), judge._spares.values()
print(worker.pid, spare.pid, flush=True)
judge.progress(grey(0), grey(int(sys.argv[1])))
sys.stdin.read()
"""


@pytest.mark.parametrize("looping", [0, 1])
@pytest.mark.parametrize("without", ["nothing", "user"])
def test_a_killed_trainer_leaves_no_worker(looping: int, without: str) -> None:
    """Neither one that waits for a request, nor one in an endless loop, nor a spare, even one that still starts.

    Nor without a user of its own, as where the trainer is not root.
    """
    command = [sys.executable, "-c", PARENT, str(looping), without]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert all(alive(pid) for pid in pids)
        time.sleep(0.2)
        parent.kill()
    deadline = time.monotonic() + 1
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not [pid for pid in pids if alive(pid)]


def test_interrupts_of_the_terminal_do_not_reach_workers() -> None:
    worker = sandbox().start(program(BRIGHT), SHAPE)
    try:
        assert os.getpgid(worker.pid) != os.getpgid(0)
        assert os.getsid(worker.pid) != os.getsid(0)
    finally:
        worker.close()


def test_a_forked_copy_leaves_the_worker_alone() -> None:
    worker = sandbox().start(program(BRIGHT), SHAPE)
    try:
        child = os.fork()
        if child == 0:
            try:
                worker.run(grey(0), grey(0))
            except VlmcarError:
                worker.close()
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert worker.run(grey(0), grey(255)) == 1
    finally:
        worker.close()


# Deadlines


def test_time_on_the_wall_is_not_held_against_a_program() -> None:
    """A stopped process uses no CPU time: neither does one that a busy machine keeps waiting."""
    worker = sandbox(frame_seconds=0.001).start(program(BRIGHT), SHAPE)
    os.kill(worker.pid, signal.SIGSTOP)
    threading.Timer(1.5, os.kill, (worker.pid, signal.SIGCONT)).start()
    try:
        assert worker.run(grey(0), grey(255)) == 1  # after 1.5 s, and the limit is 1.001 s of CPU time
    finally:
        worker.close()


def test_one_that_waits_for_ever_is_killed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vlmcar.program.sandbox.WALL_TIMES", 1.5)
    worker = sandbox(frame_seconds=0.001).start(program(BRIGHT), SHAPE)
    os.kill(worker.pid, signal.SIGSTOP)
    with pytest.raises(ProgramTimedOut, match=r"no answer within 1.5\d* s, of which it worked for 0.0 s"):
        worker.run(grey(0), grey(255))
    assert not worker.alive
    assert not alive(worker.pid)


def test_the_clock_counts_the_childs_work() -> None:
    code = "import time; start = time.process_time()\nwhile time.process_time() < start + 0.4: pass\ninput()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as child:
        clock = Clock(child.pid, Deadline(0.2, 60.0, "0.2 s"))
        while clock.milliseconds_left() > 0:
            time.sleep(0.005)
        assert clock.late() == "no answer within 0.2 s of CPU time"
        child.kill()


# Bytes that a worker sends. Each fake below stands in for the whole package `worker`.

FAKE = """
import os, struct, sys, time
requests, responses = int(sys.argv[1]), int(sys.argv[2])
REQUEST, RESPONSE = struct.Struct("<QII"), struct.Struct("<QIIII")
READY, LOADED, JUDGED, CRASHED, WRONG = range(1, 6)

def nonce():
    return REQUEST.unpack(os.read(requests, REQUEST.size))[0]

def send(data):
    while data:
        data = data[os.write(responses, data):]

send(RESPONSE.pack(nonce(), READY, 15, 0, 0))
send(RESPONSE.pack(nonce(), LOADED, 0, 0, 0))
"""

Fake = Callable[[str], Worker]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """Starts a worker whose process answers as told, after an honest start."""
    monkeypatch.setattr("vlmcar.program.process.environment", lambda: {"PYTHONPATH": str(tmp_path)})
    (tmp_path / "worker").mkdir()
    workers = []

    def start(body: str) -> Worker:
        source = FAKE + textwrap.dedent(body)
        (tmp_path / "worker" / "__main__.py").write_text(source)
        workers.append(sandbox(frame_seconds=0.01).start(program(BRIGHT, LEVEL), SHAPE))
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()


def test_a_fake_that_behaves_is_believed(fake: Fake) -> None:
    worker = fake("""
        send(RESPONSE.pack(nonce(), JUDGED, 2, 2, 16) + struct.pack("<4f", 0, 1, 0.5, 0))
        nonce()
    """)
    np.testing.assert_array_equal(worker.run(grey(0, 0), grey(0, 0)), [[0, 1], [0.5, 0]])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("nonce(); send(b'x' * 24); nonce()", "not an answer"),
        ("nonce(); send(b'x' * 100_000)", "not an answer"),
        ("send(RESPONSE.pack(nonce() ^ 1, JUDGED, 2, 2, 16) + bytes(16)); nonce()", "not an answer"),
        ("send(RESPONSE.pack(nonce(), JUDGED, 2, 1, 8) + bytes(8)); nonce()", "not an answer"),
        ("send(RESPONSE.pack(nonce(), JUDGED, 2, 2, 20) + bytes(20)); nonce()", "not an answer"),
        ("send(RESPONSE.pack(nonce(), JUDGED, 2, 2, 2**31)); nonce()", "not an answer"),
        ("send(RESPONSE.pack(nonce(), READY, 15, 0, 0)); nonce()", "not an answer"),
        ("send(RESPONSE.pack(nonce(), LOADED, 0, 0, 0)); nonce()", "not an answer"),
        ("send(RESPONSE.pack(nonce(), 77, 2, 2, 0)); nonce()", "not an answer"),
        ("send(RESPONSE.pack(nonce(), CRASHED, 7, 0, 0)); nonce()", "not an answer"),
        (
            "send(RESPONSE.pack(nonce(), JUDGED, 2, 2, 16) + struct.pack('<4f', 0, 2, 0, 0)); nonce()",
            "outside",
        ),
        (
            "send(RESPONSE.pack(nonce(), JUDGED, 2, 2, 16) + struct.pack('<4f', float('nan'), 0, 0, 0)); nonce()",
            "outside",
        ),
        ("send(RESPONSE.pack(nonce(), JUDGED, 2, 2, 16) + bytes(15))", "exit code 0"),
        ("send(RESPONSE.pack(nonce(), JUDGED, 2, 2, 16)[:9])", "exit code 0"),
        ("nonce()", "exit code 0"),
        ("os.close(responses); nonce(); nonce()", "SIGKILL|exit code"),
        ("send(RESPONSE.pack(nonce(), CRASHED, 0, 0, 100) + b'x' * 99); sys.exit(3)", "exit code 3"),
    ],
)
def test_what_is_no_answer_ends_the_worker(fake: Fake, answer: str, words: str) -> None:
    worker = fake(answer)
    with pytest.raises(ProgramCrashed, match=words):
        worker.run(grey(0, 0), grey(0, 0))
    assert not worker.alive
    assert not alive(worker.pid)


@pytest.mark.parametrize("answer", ["nonce(); time.sleep(60)", "nonce(); send(bytes(3)); time.sleep(60)"])
def test_half_an_answer_is_waited_for_and_no_longer(
    fake: Fake, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vlmcar.program.sandbox.WALL_TIMES", 0.5)
    worker = fake(answer)
    with pytest.raises(ProgramTimedOut):
        worker.run(grey(0, 0), grey(0, 0))
    assert not alive(worker.pid)


def test_bytes_before_they_are_asked_for_end_the_worker(fake: Fake) -> None:
    worker = fake("""
        send(RESPONSE.pack(nonce(), JUDGED, 2, 2, 16) + bytes(16) + b"x")
        nonce()
    """)
    np.testing.assert_array_equal(worker.run(grey(0, 0), grey(0, 0)), np.zeros((2, 2)))
    time.sleep(0.1)
    with pytest.raises(ProgramCrashed, match="without being asked"):
        worker.run(grey(0, 0), grey(0, 0))
    assert not worker.alive


def test_a_stale_answer_is_not_taken_for_the_next(fake: Fake) -> None:
    """The nonce is new for every request: an answer kept back from before fits none."""
    worker = fake("""
        first = RESPONSE.pack(nonce(), JUDGED, 2, 2, 16)
        send(first + bytes(16))
        nonce()
        send(first + struct.pack("<4f", 1, 1, 1, 1))
        nonce()
    """)
    worker.run(grey(0, 0), grey(0, 0))
    with pytest.raises(ProgramCrashed, match="not an answer"):
        worker.run(grey(0, 0), grey(0, 0))


@pytest.mark.parametrize("seed", range(8))
def test_fuzzed_responses(fake: Fake, seed: int) -> None:
    """Right responses with bytes changed, cut off, doubled or in pieces: an error, or what the bytes really say."""
    rng = random.Random(seed)
    errors = 0
    for _ in range(12):
        changes = [(rng.randrange(40), rng.randrange(256)) for _ in range(rng.choice((0, 1, 1, 2, 8)))]
        cut, extra = rng.choice((40, 40, 40, rng.randrange(40))), rng.choice((0, 0, 1, 700))
        piece = rng.randrange(1, 41)
        worker = fake(f"""
            data = bytearray(RESPONSE.pack(nonce(), JUDGED, 2, 2, 16) + struct.pack("<4f", 0, 1, 0.5, 0))
            for at, value in {changes}:
                data[at] = value
            data = bytes(data[:{cut}]) + bytes({extra})
            for start in range(0, len(data), {piece}):
                send(data[start:start + {piece}])
        """)
        data = bytearray(bytes(24) + np.array([0, 1, 0.5, 0], np.float32).tobytes())
        for at, value in changes:
            data[at] = value
        said = np.frombuffer(bytes(data[:cut]).ljust(40, b"\0")[24:], np.float32)
        try:
            answers = worker.run(grey(0, 0), grey(0, 0))
        except ProgramError:
            errors += 1
            assert not worker.alive
        else:
            assert cut + extra >= 40
            np.testing.assert_array_equal(answers.ravel(), said)
            assert ((answers >= 0) & (answers <= 1)).all()
        worker.close()
        assert not alive(worker.pid)
    assert 0 < errors < 12
