"""From given episodes to an accepted program: what is kept, what is asked again, and what is said when none came."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import vlmcar
from tests.library.corridor import RIGHT, SOURCE, WANDERED, Corridor, answers
from tests.vlm.test_conversation import Scripted
from vlmcar import GivenTask, generate
from vlmcar.types import ConfigError, NoReply, Reply, VlmcarError
from vlmcar.vlm.conversation import load as conversation_of

WRONG = SOURCE.replace("return bool(frame[0, 0, 0] >= 150)", "return True")


@pytest.fixture(scope="module")
def task() -> GivenTask:
    return GivenTask(RIGHT, WANDERED, name="corridor")


def test_failures_go_back_until_a_program_is_accepted(task: GivenTask, tmp_path: Path) -> None:
    vlm, said = Scripted(*answers(WRONG, SOURCE)), []
    made = generate(task, vlm, folder=tmp_path, say=said.append)
    assert made.verdict.accepted
    assert made.program.source == SOURCE
    assert made.program.frame_size == (8, 8)
    assert made.attempts == 2
    assert "already done on frame 0" in vlm.seen[3][-1].text
    assert made.folder.is_relative_to(tmp_path / "programs" / "given-corridor" / vlm.name)
    assert [m.text for m in conversation_of(made.folder)[0] if m.role == "assistant"] == answers(
        WRONG, SOURCE
    )
    assert vlmcar.load(made.folder) == made.program
    assert any("verify: attempt 2" in line for line in said)


def test_the_same_call_again_asks_nobody_and_other_episodes_do(task: GivenTask, tmp_path: Path) -> None:
    made = generate(task, Scripted(*answers(SOURCE)), folder=tmp_path, say=lambda _: None)
    again = generate(
        GivenTask(RIGHT, WANDERED, name="corridor"), Scripted(), folder=tmp_path, say=lambda _: None
    )
    assert again == made
    vlm = Scripted(*answers(SOURCE))
    fewer = GivenTask(RIGHT, WANDERED[:58], name="corridor")
    other = generate(fewer, vlm, folder=tmp_path, say=lambda _: None)
    assert other.folder != made.folder
    assert len(vlm.seen) == 3
    stricter = Scripted(*answers(SOURCE))
    settings: Any = {"verification.checks.fast_enough.milliseconds": 10.0}
    assert (
        generate(task, stricter, folder=tmp_path, settings=settings, say=lambda _: None).folder != made.folder
    )
    assert len(stricter.seen) == 3


def test_its_result_pays(task: GivenTask, tmp_path: Path) -> None:
    made = generate(task, Scripted(*answers(SOURCE)), folder=tmp_path, say=lambda _: None)
    for given in (made, made.folder):
        env = vlmcar.CodeReward(Corridor(), given)
        env.reset(seed=0)
        assert sum(float(env.step(1)[1]) for _ in range(5)) == 1.0
        env.close()
    env = vlmcar.CodeReward(Corridor(size=12), made)
    with pytest.raises(ConfigError, match="12 x 12 pixels.*verified on 8 x 8"):
        env.reset()


def test_when_none_is_accepted_it_says_where_the_conversation_is(task: GivenTask, tmp_path: Path) -> None:
    vlm = Scripted(*answers(WRONG, WRONG))
    with pytest.raises(
        VlmcarError, match=r"no program was accepted in 2 attempts .*the conversation is in "
    ) as raised:
        generate(task, vlm, folder=tmp_path, settings={"generation.program_attempts": 2}, say=lambda _: None)
    (folder,) = tmp_path.glob("programs/given-corridor/*/*/")
    assert str(folder) in str(raised.value)
    assert len([m for m in conversation_of(folder)[0] if m.role == "assistant"]) == 4


def test_when_nothing_readable_came_as_well(task: GivenTask, tmp_path: Path) -> None:
    vlm = Scripted(*answers()[:1], "no list", "none", "nor now")
    with pytest.raises(VlmcarError, match="after 3 replies .*the conversation is in ") as raised:
        generate(task, vlm, folder=tmp_path, say=lambda _: None)
    (folder,) = tmp_path.glob("programs/given-corridor/*/*/")
    assert str(folder) in str(raised.value)


def test_when_nobody_answers_that_is_said(task: GivenTask, tmp_path: Path) -> None:
    class Silent(Scripted):
        def reply(self, messages: Any) -> Reply:
            raise NoReply("out of reach")

    with pytest.raises(NoReply, match="out of reach"):
        generate(task, Silent(), folder=tmp_path, say=lambda _: None)


def test_the_suites_own_recording_by_its_word(
    doorkey: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        f"verification.{which}_{kind}": n
        for which in ("feedback", "held_out")
        for kind, n in (("experts", 4), ("randoms", 25))
    }
    recordings = str(Path(__file__).resolve().parents[2] / "results" / "recordings")
    made = generate(
        doorkey, "offline", recordings=recordings, folder=tmp_path, settings=settings, say=lambda _: None
    )
    assert made.verdict.accepted
    assert made.program.frame_size == doorkey.frames()[0].shape[:2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vlm": "opneai"}, "vlm=opneai is no choice; there are: manual, offline, openai"),
        ({"vlm": "openai"}, r"vlm\.model has no default"),
        ({"vlm": "openai", "model": "m", "temprature": 1}, "did you mean 'temperature'"),
        ({"model": "m"}, "model: settings go with the word"),
        ({"settings": {"sandbox.batch": 3}}, "settings has sandbox.batch"),
        ({"settings": {"generation.program_attempts": 0}}, "program_attempts=0 must be at least 1"),
        ({"generation": "best_of_n", "vlm": "offline"}, "replays one conversation"),
        ({"settings": {"generation.max_dollars": 1.0}}, "needs a price"),
        ({"reward": "nothing"}, "reward=nothing is no choice"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_asked(
    task: GivenTask, arguments: dict[str, Any], message: str, tmp_path: Path
) -> None:
    vlm = Scripted()
    with pytest.raises(ConfigError, match=message):
        generate(task, **{"vlm": vlm, "folder": tmp_path, **arguments})
    assert not vlm.seen
    assert not list(tmp_path.iterdir())
