"""Continuous actions, and observations in parts: trained, evaluated, played, kept and gone on with as all others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from tests.training.line import PROGRAM, STEPS, BoxTask, Line, registered
from tests.training.test_state import algorithm as algorithm  # the fixture
from tests.training.test_state import run, same_end
from tests.training.test_train import ALL, AllAtOnce
from vlmcar.program.judge import ProgramJudge
from vlmcar.program.sandbox import Sandbox
from vlmcar.reward.bonus import Bonus
from vlmcar.training.rollout import policy_trajectories
from vlmcar.types import ConfigError, NotAvailable
from vlmcar.verification.evidence import Episode
from vlmcar.verification.exploited import Findings
from vlmcar.verification.trajectories import keep

Built = Callable[..., Any]
CONTINUOUS = [name for name in ALL if name != "dqn"]
SDE = "algorithm.use_sde=true"


def test_sac_and_tqc_are_among_them() -> None:
    assert {"sac", "tqc", "ppo", "a2c"} <= set(CONTINUOUS)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_same_seed_same_rows_and_everything_when_due(algorithm: Built, tmp_path: Path, name: str) -> None:
    one, trained = run(BoxTask(), algorithm(name), tmp_path)
    two, _ = run(BoxTask(), algorithm(name), tmp_path)
    np.testing.assert_equal(one.train, two.train)
    np.testing.assert_equal(one.eval, two.eval)
    assert [row["steps"] for row in one.train] == [256, 512, 768, 1024]
    assert [(row["steps"], row["episodes"]) for row in one.eval] == [(0, 4), (512, 4), (1024, 5)]
    assert all(0 < row["length"] <= STEPS for row in one.eval)
    assert one.checkpoints[0] == 512
    before = trained.model.policy.state_dict()
    again = algorithm(name).load(str(tmp_path / "512.zip"), None).policy.state_dict()
    assert set(before) == set(again)
    assert any((before[key] != again[key]).any() for key in before), "training went on after the checkpoint"


@pytest.mark.parametrize("name", ["sac", "tqc"])
def test_it_learns_from_a_program_alone(
    algorithm: Built, sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    learner = algorithm(
        name, "algorithm.learning_rate=0.003", "algorithm.ent_coef=0.02", "algorithm.hidden=[32]"
    )
    with ProgramJudge(PROGRAM, sandbox) as judge:
        rows, trained = run(BoxTask(), learner, tmp_path, judge, steps=4096, final_eval_episodes=30)
    assert rows.eval[0]["success_rate"] <= 0.25
    assert trained.final.unseen.success_rate >= 0.9
    assert rows.train[-1]["subtasks_done"] > rows.train[0]["subtasks_done"]


@pytest.mark.parametrize("name", CONTINUOUS)
def test_asking_ahead_changes_no_curve(algorithm: Built, sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    with ProgramJudge(PROGRAM, sandbox, workers=2) as judge:
        ahead, trained = run(BoxTask(), algorithm(name), tmp_path, judge)
    with ProgramJudge(PROGRAM, sandbox) as judge:
        at_once, expected = run(BoxTask(), algorithm(name), tmp_path, AllAtOnce(judge))
    assert any(row["reward_return"] > 0 for row in at_once.train)
    np.testing.assert_equal(ahead.train, at_once.train)
    weights = expected.model.policy.state_dict()
    assert all((value == weights[key]).all() for key, value in trained.model.policy.state_dict().items())


WAYS = [
    *((name,) for name in CONTINUOUS),
    ("sac", SDE),
    ("sac", SDE, "algorithm.sde_sample_freq=4", "algorithm.train_freq=16"),
    ("tqc", SDE, "algorithm.learning_starts=600"),
    ("sac", "algorithm.ent_coef=0.05", "algorithm.gradient_steps=-1"),
    ("tqc", "algorithm.ent_coef=auto_0.1", "algorithm.buffer_size=300"),
]


@pytest.mark.parametrize(
    ("way", "judged"),
    [*((way, False) for way in WAYS), *((way, True) for way in WAYS[:5])],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else ("program" if given else "sparse"),
)
def test_it_goes_on_as_if_never_stopped(
    algorithm: Built, sandbox: Sandbox, tmp_path: Path, way: tuple[str, ...], judged: bool
) -> None:
    made = lambda: ProgramJudge(PROGRAM, sandbox) if judged else None  # noqa: E731
    whole = run(BoxTask(), algorithm(*way), tmp_path, made())
    rest = run(BoxTask(), algorithm(*way), tmp_path, made(), checkpoint=tmp_path / "512.zip")
    same_end(whole, rest, 512)
    one, two = whole[1].model, rest[1].model
    if getattr(one, "log_ent_coef", None) is not None:
        assert one.log_ent_coef == two.log_ent_coef != 0


MOVED = replace(
    PROGRAM, source=PROGRAM.source.replace("return column(frame)", "return 2 * int((frame != initial).sum())")
)
"""Pays for frames that differ from the first one."""
GYMNASIUM = [
    ("MountainCarContinuous-v0", "sac", True),
    ("MountainCarContinuous-v0", "ppo", False),
    ("Pendulum-v1", "tqc", False),
    ("Acrobot-v1", "dqn", True),
    ("CartPole-v1", "ppo", True),
    ("CartPole-v1", "a2c", False),
]


@pytest.mark.parametrize(("env_id", "name", "judged"), GYMNASIUM)
def test_environments_of_gymnasium_go_on(
    algorithm: Built, sandbox: Sandbox, tmp_path: Path, env_id: str, name: str, judged: bool
) -> None:
    made = lambda: ProgramJudge(MOVED, sandbox) if judged else None  # noqa: E731
    task = registered(env_id, 37)
    whole = run(task, algorithm(name), tmp_path, made())
    assert any(row["reward_return"] != 0 for row in whole[0].train)
    rest = run(task, algorithm(name), tmp_path, made(), checkpoint=tmp_path / "512.zip")
    same_end(whole, rest, 512)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_observations_in_parts(algorithm: Built, tmp_path: Path, name: str) -> None:
    task = BoxTask(lambda: Line("dict"))
    whole = run(task, algorithm(name), tmp_path)
    rest = run(task, algorithm(name), tmp_path, checkpoint=tmp_path / "512.zip")
    same_end(whole, rest, 512)
    episodes = list(policy_trajectories(task, whole[1].model, [5, 6], samples_actions=True))
    assert [len(episode.frames) - len(episode.actions) for episode in episodes] == [1, 1]


def played(model: Any, samples_actions: bool) -> list[Any]:
    return list(policy_trajectories(BoxTask(), model, [5, 6, 5], samples_actions))


def test_a_policy_s_episodes_have_its_actions(algorithm: Built, tmp_path: Path) -> None:
    built = algorithm("sac")
    assert not built.samples_actions
    _, trained = run(BoxTask(), built, tmp_path)
    best, drawn = played(trained.model, False), played(trained.model, True)
    for episode in (*best, *drawn):
        assert episode.actions.dtype == np.float32
        assert episode.actions.shape == (len(episode.rewards), 1)
        assert episode.success == (len(episode.actions) < STEPS or episode.rewards[-1] == 1)
    np.testing.assert_array_equal(best[0].actions, best[2].actions)
    np.testing.assert_array_equal(best[0].actions, played(trained.model, False)[0].actions)
    assert (best[0].actions[: len(drawn[0].actions)] != drawn[0].actions[: len(best[0].actions)]).any()
    # The first action is that of the network, on the first observation.
    first, _ = Line().reset(seed=5)
    np.testing.assert_array_equal(best[0].actions[0], trained.model.predict(first, deterministic=True)[0])


def test_an_episode_that_cannot_be_replayed_is_watched(algorithm: Built, tmp_path: Path) -> None:
    _, trained = run(BoxTask(), algorithm("sac"), tmp_path)

    class Unrepeatable(BoxTask):
        def replay(self, level: int, actions: np.ndarray, kind: str) -> Any:
            raise NotAvailable("the same actions lead elsewhere")

    for samples_actions in (False, True):
        for seed in (5, 6):  # alone, so that the same generator draws the same
            (expected,) = policy_trajectories(BoxTask(), trained.model, [seed], samples_actions)
            (watched,) = policy_trajectories(Unrepeatable(), trained.model, [seed], samples_actions)
            np.testing.assert_equal(vars(watched), vars(expected))


def test_the_digest_of_an_audit_tells_actions_apart(algorithm: Built, tmp_path: Path) -> None:
    _, trained = run(BoxTask(), algorithm("sac"), tmp_path)
    episode = played(trained.model, False)[0]

    def digest(trajectory: Any) -> str:
        found = Episode(keep(trajectory), (3, None), (False, False))
        return Findings(PROGRAM, 1, 0, (found,), (), 1.0, 0.1).digest()

    other = replace(episode, actions=episode.actions + np.float32(0.001))
    assert digest(episode) == digest(replace(episode)) != digest(other)


REFUSED = [
    ("dqn", spaces.Box(-2, 2, (1,)), r"algorithm=dqn acts in Discrete spaces.*Box\(-2.0.*sac or algorithm=tqc"),
    ("sac", spaces.Discrete(7), r"algorithm=sac acts in Box spaces.*Discrete\(7\): take algorithm=ppo or .* or .*dqn"),
    ("tqc", spaces.MultiDiscrete([2, 3]), r"algorithm=tqc.*MultiDiscrete.*take algorithm=ppo or algorithm=a2c$"),
    ("ppo", spaces.Tuple([spaces.Discrete(2)]), r"algorithm=ppo.*Tuple.*no algorithm here"),
    ("sac", spaces.Box(-np.inf, 1, (1,)), r"without bounds.*RescaleAction"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "space", "message"), REFUSED)
def test_actions_that_it_cannot_choose_are_refused(
    algorithm: Built, name: str, space: spaces.Space, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        algorithm(name).check_actions(space)
    assert "\n" not in str(error.value)


def test_all_others_are_not_refused(algorithm: Built) -> None:
    for name in ("ppo", "a2c"):
        for space in (spaces.Discrete(2), spaces.Box(-1, 1, (2,)), spaces.MultiDiscrete([2, 2])):
            algorithm(name).check_actions(space)
    for name in ("sac", "tqc"):
        algorithm(name).check_actions(spaces.Box(-1, 1, (2,)))
    algorithm("dqn").check_actions(spaces.Discrete(2))


def test_a_model_of_the_wrong_kind_is_not_made(algorithm: Built, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="algorithm=dqn acts in Discrete spaces"):
        run(BoxTask(), algorithm("dqn"), tmp_path)


SETTINGS = [
    ("sac", "tau=0", "tau=0.0 must be above 0"),
    ("sac", "ent_coef=automatic", "ent_coef=automatic must be auto"),
    ("sac", "ent_coef=auto_0", "ent_coef=auto_0 must be"),
    ("sac", "ent_coef=-1", "ent_coef=-1 must be"),
    ("sac", "ent_coef=nan", "ent_coef=nan must be"),
    ("sac", "sde_sample_freq=0", "sde_sample_freq=0 must be"),
    ("sac", "gradient_steps=0", "gradient_steps=0 must be at least 1, or -1"),
    ("sac", "learning_starts=-1", "learning_starts=-1 must be 0 or more"),
    ("tqc", "n_critics=0", "n_critics=0 must be at least 1"),
    ("tqc", "top_quantiles_to_drop_per_net=25", "less than n_quantiles=25, or none is left"),
]


@pytest.mark.parametrize(("name", "override", "message"), SETTINGS)
def test_wrong_settings_are_refused(algorithm: Built, name: str, override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        algorithm(name, f"algorithm.{override}")


def test_settings_reach_the_model(algorithm: Built) -> None:
    venv = BoxTask().make_vec(4, range(4), False, True)
    changed = algorithm(
        "tqc", "algorithm.ent_coef=0.3", "algorithm.n_critics=3", SDE, "algorithm.log_std_init=-1"
    )
    model = changed.model(venv, 0)
    assert model.ent_coef_tensor == pytest.approx(0.3)
    assert len(model.critic.q_networks) == 3
    assert model.use_sde
    assert (model.actor.log_std == -1).all()
    learned = algorithm("sac", "algorithm.ent_coef=auto_0.2").model(venv, 0)
    assert learned.log_ent_coef.exp().item() == pytest.approx(0.2)


def test_without_what_can_be_saved_sac_fills_its_buffer_anew(
    algorithm: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vlmcar.env.saving.goes_on", lambda *arguments: False)
    small = algorithm("sac")
    run(BoxTask(), small, tmp_path, reward=Bonus(None))
    rest = run(BoxTask(), small, tmp_path, checkpoint=tmp_path / "512.zip")
    assert rest[1].model.learning_starts == 512 + 128
    assert [row["steps"] for row in rest[0].train] == [768, 1024]
