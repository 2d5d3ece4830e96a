"""MiniGrid tasks: frames, experts, random play and ground truth."""

from __future__ import annotations

import gymnasium
import minigrid  # noqa: F401
import numpy as np
import pytest
from hydra.utils import instantiate

from tests.conftest import ROOT
from vlmcar.env.minigrid import MiniGrid
from vlmcar.env.minigrid_planner import NoPlanError, shortest_plan
from vlmcar.env.minigrid_render import TileRenderer
from vlmcar.env.minigrid_wrappers import OneHotView

YAMLS = sorted((ROOT / "conf/env/minigrid").glob("*.yaml"))
LEFT, RIGHT, FORWARD, PICKUP, DROP, TOGGLE = range(6)


@pytest.fixture(params=YAMLS, ids=lambda path: path.stem)
def task(request: pytest.FixtureRequest) -> MiniGrid:
    from omegaconf import OmegaConf

    return instantiate(OmegaConf.load(request.param))


def test_all_six_tasks_are_there() -> None:
    names = {"unlock", "unlock_pickup", "doorkey_5x5", "doorkey_6x6", "doorkey_8x8", "key_corridor_s3r1"}
    assert {path.stem for path in YAMLS} >= names


@pytest.mark.parametrize("tile_size", [8, 32])
def test_renderer_draws_what_minigrid_draws(task: MiniGrid, tile_size: int) -> None:
    env = gymnasium.make(task.env_id).unwrapped
    render = TileRenderer(tile_size)
    rng = np.random.default_rng(0)
    for seed in range(3):
        env.reset(seed=seed)
        for _ in range(40):
            env.step(int(rng.integers(7)))
            expected = env.get_frame(highlight=False, tile_size=tile_size)
            drawn = render(env)
            assert drawn.dtype == np.uint8
            np.testing.assert_array_equal(drawn, expected)


def test_experts_succeed_and_end_with_the_goal(task: MiniGrid) -> None:
    for seed in range(5):
        expert = task.expert(seed)
        assert expert.success
        assert expert.rewards[-1] > 0
        assert not expert.rewards[:-1].any()
        assert len(expert.frames) == len(expert.actions) + 1
        assert (expert.frames[-1] != expert.frames[-2]).any()
    initial, goal = task.images()
    assert initial.shape == goal.shape
    assert (initial != goal).any()


def test_trajectories_are_reproducible_and_levels_differ(task: MiniGrid) -> None:
    again = MiniGrid(task.name, task.env_id, task.tile_size, task.image_seed, task.steps, {})
    for make in (lambda t, s: t.expert(s), lambda t, s: t.random(s, 50)):
        one, same, other = make(task, 3), make(again, 3), make(task, 4)
        np.testing.assert_array_equal(one.frames, same.frames)
        np.testing.assert_array_equal(one.actions, same.actions)
        assert one.frames.shape != other.frames.shape or (one.frames != other.frames).any()


def test_random_play_uses_every_action_and_stops_where_told(task: MiniGrid) -> None:
    actions = np.concatenate([task.random(seed, 60).actions for seed in range(5)])
    assert set(actions) == set(range(7))
    assert len(task.random(0, 25).actions) <= 25


def hand_made_level() -> gymnasium.Env:
    """DoorKey-5x5 with everything placed by hand, so that the shortest plan can be counted by eye.

    Agent at (1, 1) facing right, key at (1, 3), door in the wall at (2, 2), goal at (3, 3):

    ``#####``
    ``#A###``  the agent; the wall column is x = 2
    ``#.D.#``
    ``#K#G#``
    ``#####``

    right (face down), pickup needs the key in front: forward to (1, 2), pickup; left (face right) to the
    door at (2, 2), toggle, forward, forward to (3, 2), right (face down), forward to the goal: 9 actions.
    """
    from minigrid.core.grid import Grid
    from minigrid.core.world_object import Door, Goal, Key

    env = gymnasium.make("MiniGrid-DoorKey-5x5-v0").unwrapped
    env.reset(seed=0)
    env.grid = Grid(5, 5)
    env.grid.wall_rect(0, 0, 5, 5)
    env.grid.vert_wall(2, 0)
    env.put_obj(Door("yellow", is_locked=True), 2, 2)
    env.put_obj(Key("yellow"), 1, 3)
    env.put_obj(Goal(), 3, 3)
    env.agent_pos, env.agent_dir, env.carrying = (1, 1), 0, None
    return env


def test_plan_is_the_shortest_on_a_level_counted_by_hand() -> None:
    env = hand_made_level()
    plan = shortest_plan(env)
    assert plan == [RIGHT, FORWARD, PICKUP, LEFT, TOGGLE, FORWARD, FORWARD, RIGHT, FORWARD]
    rewards = [env.step(action)[1] for action in plan]
    assert rewards[-1] > 0


def test_planning_leaves_the_environment_as_it_was() -> None:
    env = hand_made_level()
    before = env.get_frame(highlight=False).copy(), env.step_count, env.gen_obs()["image"].copy()
    shortest_plan(env)
    np.testing.assert_array_equal(env.get_frame(highlight=False), before[0])
    assert env.step_count == before[1]
    np.testing.assert_array_equal(env.gen_obs()["image"], before[2])


def test_a_level_without_a_solution_is_no_plan() -> None:
    env = hand_made_level()
    env.grid.set(1, 3, None)  # no key
    with pytest.raises(NoPlanError, match="no plan among"):
        shortest_plan(env)


def test_ground_truth_follows_the_plan() -> None:
    task = MiniGrid("doorkey_5x5", "MiniGrid-DoorKey-5x5-v0", 8, 0, 1000, {})
    expert = task.expert(0)
    truth = task.truth(expert)
    assert all(len(row) == len(expert.frames) for row in truth.values())
    pickup = list(expert.actions).index(PICKUP) + 1
    toggle = list(expert.actions).index(TOGGLE) + 1
    assert truth["holding_key"].argmax() == pickup
    assert truth["locked_door_open"].argmax() == toggle
    assert truth["on_goal"].nonzero()[0].tolist() == [len(expert.actions)]


def test_one_hot_view_says_what_the_view_says() -> None:
    env = OneHotView(gymnasium.make("MiniGrid-DoorKey-5x5-v0"))
    observation, _ = env.reset(seed=1)
    raw = env.unwrapped.gen_obs()
    cells = observation[:-4].reshape(49, 20)
    np.testing.assert_array_equal(cells[:, :11].argmax(1), raw["image"].reshape(49, 3)[:, 0])
    np.testing.assert_array_equal(cells[:, 11:17].argmax(1), raw["image"].reshape(49, 3)[:, 1])
    np.testing.assert_array_equal(cells[:, 17:].argmax(1), raw["image"].reshape(49, 3)[:, 2])
    assert observation.sum() == 49 * 3 + 1
    assert observation[-4:].argmax() == raw["direction"]
    assert observation in env.observation_space


def test_variants_show_the_same_episode_with_other_tiles_and_other_drawn_colours(task: MiniGrid) -> None:
    variants = task.variants()
    assert {"tile_size_24", "tile_size_16"} <= variants.keys()
    assert ("colours" in variants) == (not task.name.startswith("doorkey"))  # where they are always yellow
    expert = task.expert(3)
    for name, variant in variants.items():
        episode = variant.replay(3, expert.actions, "expert")
        assert episode.success
        assert len(episode.frames) == len(expert.frames)
        assert (episode.frames.shape == expert.frames.shape) == (name == "colours")
        if name == "colours":
            differ = (episode.frames != expert.frames).any(axis=3)
            assert 0 < differ.mean() < 0.2
            assert (expert.frames[differ].max(axis=1) > 0).all()  # what is there is recoloured; nothing moves
            assert (episode.frames[differ].max(axis=1) > 0).all()
            so, before = variant.truth(episode), task.truth(expert)
            assert all((so[name] == before[name]).all() for name in before)
    np.testing.assert_array_equal(task.expert(3).frames, expert.frames)  # the task itself is as before
