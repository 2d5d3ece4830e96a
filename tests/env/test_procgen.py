"""Procgen tasks: states, levels, experts, the last frame of an episode, and ground truth."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf

from tests.conftest import ROOT
from vlmcar.env.procgen import Procgen
from vlmcar.env.procgen_experts import Experts
from vlmcar.env.procgen_games import GAMES
from vlmcar.env.procgen_planner import NoPlanError, plan
from vlmcar.env.procgen_simulator import Look, Simulator
from vlmcar.env.procgen_state import PLAYER, SPACE, WALL, read
from vlmcar.types import ConfigError, VlmcarError

YAMLS = sorted((ROOT / "conf/env/procgen").glob("*.yaml"))


def make(yaml: str, folder: Path, **changes: object) -> Procgen:
    values = OmegaConf.to_container(OmegaConf.load(ROOT / f"conf/env/procgen/{yaml}.yaml"))
    del values["_target_"]
    return Procgen(**{**values, "experts": str(folder), **changes})


@pytest.fixture(params=[path.stem for path in YAMLS])
def task(request: pytest.FixtureRequest, folder: Path) -> Procgen:
    return make(request.param, folder)


def test_the_four_games_are_there() -> None:
    assert {path.stem for path in YAMLS} == set(GAMES) == {"heist", "leaper", "maze", "miner"}


# States


def test_a_state_says_where_things_are(folder: Path) -> None:
    """The maze is drawn 64 x 64 for 15 x 15 cells, so a cell's middle is at 64 / 15 * (cell + 0.5) pixels."""
    simulator = make("maze", folder).simulator
    state = read(simulator.level(3))
    simulator.restore(0, state.raw)
    frame = simulator.frame()
    assert state.grid.shape == (15, 15)
    assert state.time == 0
    assert state.types.tolist().count(PLAYER) == 1
    for row, column in np.ndindex(15, 15):
        x, y = int(64 / 15 * (column + 0.5)), int(64 / 15 * (14 - row + 0.5))  # row 0 is the lowest
        black = not frame[y, x].any()
        if state.grid[row, column] == WALL:
            assert not black
        elif state.grid[row, column] == SPACE and (column, row) != tuple(state.agent[:2].astype(int)):
            assert black


def test_time_and_agent_follow_the_actions(folder: Path) -> None:
    task = make("maze", folder)
    simulator = task.simulator
    level, actions = task._demonstration(0)
    simulator.restore(0, simulator.level(level))
    before = read(simulator.save(0))
    simulator.act(np.array(actions[:1]))
    after = read(simulator.save(0))
    assert after.time == before.time + 1
    assert np.abs(after.agent[:2] - before.agent[:2]).sum() == pytest.approx(1.0)


def test_other_bytes_are_no_state(folder: Path) -> None:
    raw = make("maze", folder).simulator.level(3)
    for other in (raw[:100] + raw[108:], raw[:5000], b"", raw[:20] * 500):
        with pytest.raises(ValueError, match="layout"):
            read(other)


def test_a_level_is_the_same_whatever_was_played_before(task: Procgen) -> None:
    level = task.level(5)
    first = task.replay(level, [], "start").frames[0]
    task.random(7, 30)
    fresh = Simulator(task._look)
    fresh.restore(0, fresh.level(level))
    np.testing.assert_array_equal(task.replay(level, [], "start").frames[0], first)
    np.testing.assert_array_equal(fresh.frame(), first)
    assert (task.replay(task.level(6), [], "start").frames[0] != first).any()


def test_the_librarys_own_level_is_the_same(task: Procgen) -> None:
    """Levels put together from states are those of ``num_levels=1, start_level=n``."""
    from procgen import ProcgenGym3Env

    env = ProcgenGym3Env(
        num=1,
        env_name=task.name,
        start_level=1234,
        num_levels=1,
        distribution_mode=task.distribution_mode,
        use_backgrounds=False,
        restrict_themes=True,
        num_threads=0,
    )
    np.testing.assert_array_equal(env.observe()[1]["rgb"][0], task.replay(1234, [], "start").frames[0])
    env.close()


# The last frame


def test_the_last_frame_shows_the_goal_reached_not_the_next_episode(task: Procgen) -> None:
    for seed in range(3):
        expert = task.expert(seed)
        assert expert.success
        assert expert.rewards[-1] >= 1.0  # the completion bonus, scaled
        assert len(expert.frames) == len(expert.actions) + 1
        truth = task.truth(expert)
        assert truth["level_complete"].nonzero()[0].tolist() == [len(expert.actions)]
        change = (expert.frames[-1] != expert.frames[-2]).any(axis=2)
        assert 0 < change.mean() < 0.2, "a step changes little of the picture; a new level changes most of it"


def test_an_intangible_goal_changes_nothing_but_the_end(task: Procgen) -> None:
    """Up to the last action, an episode with the goal made intangible looks like the episode itself."""
    expert = task.expert(0)
    simulator = Simulator(task._look)
    start = simulator.level(expert.seed)
    if task.name == "maze":  # there the goal is a cell, which is empty once it has been reached
        cheese = (expert.frames[0] != expert.frames[-1]).any(axis=2)
        simulator.restore(0, simulator.game.without_goal(read(start)))
        assert not (simulator.frame() != expert.frames[0]).any(axis=2)[~cheese].any()
        return
    simulator.restore(0, simulator.game.without_goal(read(start)))
    for t, action in enumerate(expert.actions, start=1):
        np.testing.assert_array_equal(simulator.frame(), expert.frames[t - 1])
        simulator.act(np.array([action]))
    np.testing.assert_array_equal(simulator.frame(), expert.frames[-1])


def test_the_agent_of_the_last_frame_stands_where_the_goal_was(folder: Path) -> None:
    """Known answers: the maze's cheese cell, the leaper's finish row, the miner's door, the heist's gem."""
    maze = make("maze", folder)
    for seed in range(3):
        start, *_, last = _states(maze, seed)
        row, column = np.argwhere(start.grid == 2)[0]
        assert last.agent[:2].astype(int).tolist() == [column, row]
    leaper = make("leaper", folder)
    start, *_, last = _states(leaper, 0)
    assert int(last.agent[1]) == int(start.positions[list(start.types).index(5)][1])
    assert not last.agent[2:].any()
    miner = make("miner", folder)
    start, *_, last = _states(miner, 0)
    assert last.agent[:2].tolist() == start.positions[list(start.types).index(6)].tolist()
    heist = make("heist", folder)
    start, *_, before, last = _states(heist, 0)
    gem = start.positions[list(start.types).index(9)]
    assert np.abs(last.agent[:2] - gem).max() < 0.75 <= np.abs(before.agent[:2] - gem).max()


def _states(task: Procgen, seed: int) -> list:
    expert = task.expert(seed)
    return [read(state) for *_, state in task._play(expert.seed, expert.actions, states=True)]


def test_the_time_limit_and_death_end_with_the_last_frame_alive(folder: Path) -> None:
    leaper = make("leaper", folder)
    ends = [leaper.random(seed, 80) for seed in range(8)]
    died = [t for t in ends if len(t.actions) < 80 and not t.success]
    assert died, "random frogs get run over"
    for trajectory in died:
        np.testing.assert_array_equal(trajectory.frames[-1], trajectory.frames[-2])
    assert not leaper.truth(died[0])["level_complete"].any()
    heist = make("heist", folder)
    heist.level(0)
    heist.max_steps = 45  # only now, so that no plan has to be searched for again
    idle = heist.replay(heist.level(0), [heist.simulator.game.actions.index(4)] * 50, "idle")
    assert len(idle.actions) == 45
    assert not idle.success


# Levels and experts


def test_experts_keep_within_the_steps_asked_for(task: Procgen) -> None:
    fewest, most = task.expert_steps
    lengths = [len(task.expert(seed).actions) for seed in range(6)]
    assert all(fewest <= length <= most for length in lengths)
    assert len({task.level(seed) for seed in range(6)}) == 6


def test_random_play_rarely_completes_a_level(task: Procgen) -> None:
    """What ``expert_steps`` is for: verification lets a tenth of random play complete a program."""
    assert np.mean([task.random(seed, 100).success for seed in range(20)]) <= 0.1


def test_training_can_take_every_level_while_verification_keeps_to_its_own(folder: Path) -> None:
    task = make("maze", folder, every_level=True)  # an expert needs a single step on level 0
    assert [task.level_to_play(seed) for seed in range(3)] == [0, 1, 2]
    assert task.level(0) != 0
    assert task.level(1) == 1
    assert make("maze", folder).level_to_play(0) == task.level(0)


def test_trajectories_are_reproducible(task: Procgen, tmp_path: Path) -> None:
    again = make(task.name, tmp_path)  # plans anew
    for one, same in ((task.expert(3), again.expert(3)), (task.random(3, 60), again.random(3, 60))):
        np.testing.assert_array_equal(one.frames, same.frames)
        np.testing.assert_array_equal(one.actions, same.actions)
        assert one.seed == same.seed


def test_random_play_uses_every_action(task: Procgen) -> None:
    actions = np.concatenate([task.random(seed, 60).actions for seed in range(4)])
    assert set(actions) == set(range(len(GAMES[task.name].actions)))


def test_plans_are_kept_and_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look = Look("maze", "easy", False, False)
    experts = Experts(str(tmp_path), look, 100, 2000)
    first = experts.plan(3)
    assert first
    other = Experts(str(tmp_path), look, 100, 2000)
    other.plan(4)
    with experts.file.open("a") as file:
        file.write('{"level": 5, "acti')  # what a killed run may leave
    after = Experts(str(tmp_path), look, 100, 2000).plan(6)
    monkeypatch.setattr("vlmcar.env.procgen_experts.plan", lambda *_: pytest.fail("planned again"))
    again = Experts(str(tmp_path), look, 100, 2000)
    assert again.plan(3) == first
    assert experts.plan(4) == other.plan(4)
    assert again.plan(6) == after
    assert len(experts.file.read_text().splitlines()) == 4
    assert Experts(str(tmp_path), look, 90, 2000).file != experts.file


def test_a_level_without_a_plan_is_named_and_replaced(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    task = make("miner", tmp_path, max_states=15)  # too few for most levels
    expert = task.expert(0)
    assert expert.success
    replaced = [json.loads(line) for line in next(tmp_path.glob("*.jsonl")).read_text().splitlines()]
    missing = [row["level"] for row in replaced if row["actions"] is None]
    assert missing
    assert expert.seed not in missing
    for level in missing:
        assert f"level {level} is left out: no plan" in caplog.text


def test_a_seed_without_any_solvable_level_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VlmcarError, match=r"no expert for seed 0: of 50 levels none .* env\.max_states"):
        make("heist", tmp_path, max_states=1).expert(0)


def test_the_search_gives_up_where_told(folder: Path) -> None:
    simulator = Simulator(Look("maze", "easy", False, False), 5)
    with pytest.raises(NoPlanError, match="at most 3 steps"):
        plan(simulator, simulator.level(6), max_steps=3, max_states=100)  # level 6 takes 43


def test_the_maze_planner_is_close_to_the_shortest_way(folder: Path) -> None:
    """In the maze the estimate is the distance itself, so the plan is as long as the distance says."""
    simulator = Simulator(Look("maze", "easy", False, False), 5)
    for level in range(8):
        start = simulator.level(level)
        assert len(plan(simulator, start, 100, 2000)) == simulator.game.distance(read(start))


def test_images_are_large_and_show_the_moments_of_the_frames(task: Procgen) -> None:
    initial, goal = task.images()
    assert initial.shape == goal.shape == (512, 512, 3)
    frames = task.frames()
    assert frames[0].shape == (64, 64, 3)
    for image, frame in zip((initial, goal), frames, strict=True):
        small = image.reshape(64, 8, 64, 8, 3).mean(axis=(1, 3))
        assert np.abs(small - frame).mean() < 25
    assert (frames[0] != frames[1]).any()


# Ground truth


def test_ground_truth_follows_the_expert(task: Procgen) -> None:
    """Things are done in the order of the game, and stay done along an expert's way."""
    ways = {
        "heist": ["moved", "a_key_taken", "a_lock_opened", "all_locks_opened", "level_complete"],
        "leaper": ["moved", "past_start", "past_road", "at_river", "past_river", "at_finish_line"],
        "maze": ["moved", "level_complete"],
        "miner": ["moved", "a_diamond_collected", "all_diamonds_collected", "on_exit", "level_complete"],
    }
    for seed in range(2, 6):  # heist's level 1 has neither key nor lock
        expert = task.expert(seed)
        truth = task.truth(expert)
        assert all(len(row) == len(expert.frames) for row in truth.values())
        first = [int(truth[name].argmax()) for name in ways[task.name]]
        assert all(truth[name].any() and not truth[name][0] for name in ways[task.name])
        assert first == sorted(first)
        for name in ways[task.name]:
            if name != "on_exit":
                assert not (np.diff(truth[name].astype(int)) < 0).any()


def test_a_key_is_taken_by_its_colour(folder: Path) -> None:
    heist = make("heist", folder)
    truth = heist.truth(heist.replay(heist.image_level, heist._image_plan, "expert"))
    taken = [int(truth[f"{colour}_key_taken"].argmax()) for colour in ("blue", "green", "red")]
    opened = [int(truth[f"{colour}_lock_opened"].argmax()) for colour in ("blue", "green", "red")]
    assert 0 < taken[0] < opened[0] < taken[1] < opened[1]
    assert max(taken) == truth["all_keys_taken"].argmax()
    assert max(opened) == truth["all_locks_opened"].argmax()


# Configuration and import


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "pong"}, "none of heist, leaper, maze, miner"),
        ({"distribution_mode": "medium"}, "distribution_mode=medium is none of"),
        ({"max_steps": 501}, "must be from 1 to 500"),
        ({"expert_steps": [30]}, r"must be \[fewest, most\]"),
        ({"expert_steps": [20, 10]}, r"must be \[fewest, most\]"),
        ({"expert_steps": [20, 400]}, "most within max_steps=100"),
        ({"num_levels": -1}, "num_levels=-1"),
        ({"num_levels": 0}, "add env.every_level=true"),
        ({"start_level": 100_000}, "start_level=100000 and num_levels=10 reach beyond 100003"),
    ],
)
def test_mistakes_are_refused(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make("maze", tmp_path, **changes)


def test_the_unmaintained_gym_keeps_quiet() -> None:
    code = "import vlmcar, stable_baselines3, procgen; print('imported')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "imported\n"
    assert "gym" not in done.stderr.lower()


def test_what_only_training_draws_leaves_a_program_verified(folder: Path) -> None:
    task = make("heist", folder)
    assert (
        make("heist", folder / "x", num_levels=7, start_level=3, every_level=True).setting() == task.setting()
    )
    assert make("heist", folder, expert_steps=[20, 45]).setting() != task.setting()
    assert make("heist", folder, early_frames=0).setting() != task.setting()


def test_a_level_completed_while_something_else_ends_the_episode_shows_the_last_frame_before(
    folder: Path,
) -> None:
    """The library's own time limit falls on the step that completes the level."""
    maze = make("maze", folder, max_steps=500)
    expert = make("maze", folder).expert(0)
    wait = [maze.simulator.game.actions.index(4)] * (500 - len(expert.actions))
    late = maze.replay(expert.seed, [*wait, *expert.actions], "late")
    assert late.success
    assert len(late.actions) == 500
    np.testing.assert_array_equal(late.frames[-1], expert.frames[-2])
    assert maze.simulator.last_step(maze.simulator.level(expert.seed), [*wait, *expert.actions]) is None


def test_a_kept_plan_that_no_longer_completes_its_level_is_an_error(tmp_path: Path) -> None:
    task = make("maze", tmp_path)
    level = task.level(0)
    task._experts._plans[level] = [task.simulator.game.actions.index(4)] * 10
    with pytest.raises(VlmcarError, match=f"the plan kept for level {level} does not complete it; remove"):
        task.expert(0)
