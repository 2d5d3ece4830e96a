"""What keeps programs pure: a fresh namespace for every frame, and frames that are judged again later."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from vlmcar.program.audit import AuditedJudge, Judged, replay
from vlmcar.program.errors import ProgramImpure
from vlmcar.program.judge import ProgramJudge
from vlmcar.program.sandbox import Worker
from vlmcar.types import ConfigError, Frames, Program

from .helpers import BRIGHT, CHANGED, LEVEL, SHAPE, grey, program, sandbox

COUNTER = "np.__dict__.setdefault('seen', []).append(1)\nreturn len(np.seen) % 2 == 0"
"""State where no fresh namespace reaches; screening refuses it, so these tests go without."""
LATER = "np.__dict__.setdefault('seen', []).append(1)\nreturn len(np.seen) > 200"
RAISES = """kept = False
try:
    np.float64(1) / (frame.mean() * 0)
except FloatingPointError:
    kept = True
np.seterr(all="raise")
return kept"""
LEFT = "left = np.__dict__.get('left', 0)\nnp.left = int(frame[0, 0, 0])\nreturn left / 255"


@pytest.fixture
def unscreened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vlmcar.program.sandbox.screen", lambda *_: ())


def judged(program: Program, levels: list[int]) -> list[Judged]:
    """Frames of these levels with the answers they get in this order, one process for all."""
    frames = grey(*levels)
    with ProgramJudge(program, sandbox(), hot_spare=False) as judge:
        answers = judge.progress(np.zeros_like(frames), frames)
    return [
        Judged(np.zeros(SHAPE, np.uint8), frame, answer)
        for frame, answer in zip(frames, answers, strict=True)
    ]


def test_a_pure_program_gives_its_answers_again() -> None:
    again = replay(
        program(BRIGHT, LEVEL, CHANGED),
        sandbox(),
        judged(program(BRIGHT, LEVEL, CHANGED), list(range(0, 250, 5))),
        np.random.default_rng(0),
    )
    assert again.tolist() == [True] * 50


@pytest.mark.usefixtures("unscreened")
@pytest.mark.parametrize("body", [COUNTER, LEFT])
def test_state_shows_when_frames_come_in_another_order(body: str) -> None:
    kept = judged(program(body), list(range(0, 250, 5)))
    again = replay(program(body), sandbox(), kept, np.random.default_rng(0))
    assert 10 < (~again).sum() <= 50


@pytest.mark.usefixtures("unscreened")
def test_state_shows_in_a_fresh_process() -> None:
    frames = grey(*range(1, 251))
    kept = judged(program(LATER), list(range(1, 251)))
    assert [bool(item.answer[0]) for item in kept] == [False] * 200 + [True] * 50
    again = replay(program(LATER), sandbox(), kept[200:], np.random.default_rng(0))
    assert not again.any()
    assert len(frames) == 250


@pytest.mark.parametrize("fails", [[], [20], [10, 20, 30], list(range(5, 60, 5))])
def test_an_error_is_another_answer_and_only_for_its_frame(fails: list[int]) -> None:
    levels = list(range(5, 105, 5))
    kept = judged(program(LEVEL), levels)
    body = f"assert frame[0, 0, 0] not in {fails!r}\n{LEVEL}"
    again = replay(program(body), sandbox(), kept, np.random.default_rng(1))
    assert again.tolist() == [level not in fails for level in levels]


@pytest.mark.usefixtures("unscreened")
def test_an_error_that_is_about_no_frame_counts_for_the_batch_and_ends() -> None:
    """The program overwrites where the worker notes what it judges, and dies: nobody knows which frame it was."""
    body = """import sys, os
here = sys._getframe()
while "position" not in here.f_locals:
    here = here.f_back
here.f_locals["position"][:8] = b"\\xfe" * 8
os._exit(0)"""
    kept = judged(program(LEVEL), [10, 20, 30])
    assert replay(program(body), sandbox(), kept, np.random.default_rng(0)).tolist() == [False] * 3


def test_frames_of_several_shapes_are_replayed() -> None:
    body = "return frame.shape[0] > frame.shape[1]"
    pairs = [np.zeros(shape, np.uint8) for shape in ((8, 16, 3), (16, 8, 3)) for _ in range(9)]
    right = [Judged(frame, frame, np.array([frame.shape[0] > 8], np.float32)) for frame in pairs]
    assert replay(program(body), sandbox(), right, np.random.default_rng(0)).all()
    wrong = [item._replace(answer=1 - item.answer) for item in right]
    assert not replay(program(body), sandbox(), wrong, np.random.default_rng(0)).any()


def test_nothing_to_replay_is_no_failure() -> None:
    assert replay(program(BRIGHT), sandbox(), [], np.random.default_rng(0)).shape == (0,)


def test_batches_differ_in_size_and_order(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = judged(program(LEVEL), list(range(100)))
    sizes, seen, run = [], [], Worker.run

    def spied(self: Worker, initial: Frames, frames: Frames) -> NDArray[np.float32]:
        sizes.append(len(frames))
        seen.extend(frames[:, 0, 0, 0].tolist())
        return run(self, initial, frames)

    monkeypatch.setattr(Worker, "run", spied)
    replay(program(LEVEL), sandbox(), kept, np.random.default_rng(0))
    assert sorted(seen) == list(range(100))
    assert seen != list(range(100))
    assert len(set(sizes)) > 3


# In training


@pytest.fixture
def audited() -> Iterator[AuditedJudge]:
    with AuditedJudge(program(LEVEL), sandbox(), share=0.5, frames=20) as judge:
        yield judge


def test_a_share_of_the_frames_is_judged_again(audited: AuditedJudge) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        frames = grey(*rng.integers(0, 256, 4).tolist())
        answers = audited.progress(np.zeros_like(frames), frames)
        np.testing.assert_allclose(answers[:, 0], frames[:, 0, 0, 0] / 255, rtol=1e-6)
    assert 40 <= audited.frames_audited <= 160  # of 200, half of them, whole lots
    audited.audit()
    assert 60 <= audited.frames_audited <= 140
    assert audited._kept == []


@pytest.mark.usefixtures("unscreened")
def test_training_ends_at_the_first_lot_with_another_answer() -> None:
    with AuditedJudge(program(COUNTER), sandbox(), share=1.0, frames=40) as judge:
        for step in range(9):
            judge.progress(grey(0, 0, 0, 0), grey(*range(4 * step, 4 * step + 4)))
        with pytest.raises(ProgramImpure, match="of 40 frames got another answer, or none") as caught:
            judge.progress(grey(0, 0, 0, 0), grey(*range(36, 40)))
    assert caught.value.kind == "answered_wrongly"
    assert caught.value.replayed == 40
    assert 10 < caught.value.different <= 40


@pytest.mark.usefixtures("unscreened")
def test_what_is_left_is_judged_again_at_the_end() -> None:
    with AuditedJudge(program(COUNTER), sandbox(), share=1.0, frames=1000) as judge:
        judge.progress(grey(*[0] * 30), grey(*range(30)))
        with pytest.raises(ProgramImpure):
            judge.audit()


def test_kept_frames_are_copies(audited: AuditedJudge) -> None:
    """Vector environments write the next frames into the same memory."""
    audited.share = 1.0
    frames = grey(50)
    audited.progress(np.zeros_like(frames), frames)
    frames[:] = 200
    audited.audit()
    assert audited.frames_audited == 1


def test_an_audit_leaves_no_process_behind(audited: AuditedJudge) -> None:
    audited.progress(grey(0), grey(5))
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(3):
        audited._kept = judged(program(LEVEL), [1, 2, 3])
        audited.audit()
    assert sorted(os.listdir("/proc/self/fd")) == before


# State that a program could keep, and where it ends


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("SEEN = []", "SEEN.append(1)\nreturn len(SEEN) > 1"),
        ("SEEN = {}", "SEEN[len(SEEN)] = frame\nreturn len(SEEN) > 1"),
        ("SEEN = np.zeros(1)", "SEEN[0] += 1\nreturn bool(SEEN[0] > 1)"),
        ("SEEN = iter(range(9))", "return next(SEEN) > 0"),
        ("LAST = [None]", "last, LAST[0] = LAST[0], frame\nreturn last is not None"),
        (
            "def count():\n    n = 0\n    while True:\n        yield n\n        n += 1\nN = count()",
            "return next(N) > 0",
        ),
        ("", "first_list = first\nreturn bool(np.empty(1000).any())"),
        ("", "return bool(np.empty_like(frame).any())"),
        ("", "return bool(np.divide(frame, 2.0, where=frame > 250).any())"),
        ("", "return bool(np.recarray((3000,), dtype=[('a', float)]).a.any())"),
        (
            "",
            "out = cv2.remap(frame, *[np.full((64, 64), -9, np.float32)] * 2, 0, borderMode=5)\nreturn bool(out.any())",
        ),
        ("", RAISES),
        ("SEEN = set()", "SEEN.add(int(frame[0, 0, 0]))\nreturn len(SEEN) > 1"),
    ],
)
def test_nothing_that_a_screened_program_keeps_outlives_its_frame(head: str, body: str) -> None:
    with ProgramJudge(program(body, head=head), sandbox(), remember=0, hot_spare=False) as judge:
        assert not judge.progress(grey(*[7] * 20), grey(*range(20))).any()
        assert not judge.progress(grey(7), grey(0)).any()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"audit_share": -0.1}, "audit_share=-0.1 must be a fraction"),
        ({"audit_share": 1.5}, "audit_share=1.5 must be a fraction"),
        ({"workers": 0}, "workers=0 must be 1 to 64"),
        ({"audit_frames": 0}, "audit_frames=0 must be 1 to 4096"),
        ({"audit_frames": 10**6}, "audit_frames=1000000 must be 1 to 4096"),
    ],
)
def test_nonsense_values_are_refused(changes: dict[str, float], words: str) -> None:
    from vlmcar.program.method import CodeAsReward

    values = {
        "name": "vlmcar",
        "env_reward": 0.0,
        "workers": 1,
        "audit_share": 0.1,
        "audit_frames": 9,
        **changes,
    }
    with pytest.raises(ConfigError, match=words):
        CodeAsReward(**values)  # type: ignore[arg-type]


def test_it_is_on_in_the_configuration() -> None:
    text = (Path(__file__).parents[2] / "conf/method/vlmcar.yaml").read_text()
    assert "audit_share: 0.002" in text
