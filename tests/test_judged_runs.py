"""Runs with a VLM over HTTP, or a simulated judge, and what they write down: who judged, and at what cost."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig

from tests.conftest import ROOT
from tests.test_pipeline import QUICK, rows
from tests.vlm.misbehaving_server import KEY, Server, answer, misbehaving, prepare
from vlmcar.config import build
from vlmcar.env.minigrid import MiniGrid
from vlmcar.obtain import obtain_program
from vlmcar.pipeline import run
from vlmcar.record.console import Console
from vlmcar.record.recorder import RunRecorder
from vlmcar.types import VlmcarError
from vlmcar.vlm.conversation import load

Compose = Callable[..., DictConfig]
RECORDED = ROOT / "results/recordings/minigrid-doorkey_5x5"


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Gives the recorded answers to the conversation, and says "no" to every question but the first."""
    prepare(monkeypatch)
    replies = [reply.text for reply in load(RECORDED)[1]]

    def behave(handler: Any) -> None:
        messages = handler.body["messages"]
        if messages[0]["role"] == "system":
            text = replies[sum(message["role"] == "user" for message in messages) - 1]
        else:
            count = len(re.findall(r"^\d\. yes or no$", messages[0]["content"][-1]["text"], re.MULTILINE))
            text = "\n".join(f"{n}. {'yes' if n == 1 else 'no'}" for n in range(1, count + 1))
        answer(text)(handler)

    with misbehaving() as server:
        server.script = [behave]
        yield server


def over_http(server: Server, results: Path, *overrides: str) -> list[str]:
    vlm = ["vlm=openai", "vlm.model=asked-model", f"vlm.base_url={server.url}", "vlm.input_price=2"]
    return [*QUICK, *vlm, "vlm.output_price=10", f"results={results}", *overrides]


def result_of(results: Path, method: str, vlm: str) -> dict[str, Any]:
    folder = results / "runs/minigrid-doorkey_5x5" / method / vlm / "ppo/seed_0"
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return found


def test_a_program_made_over_http_trains_elsewhere_without_asking_again(
    config: Compose, endpoint: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(config(*over_http(endpoint, tmp_path, "stage=generate")))
    assert len(endpoint.requests) == 3
    # 1,000 tokens in at $2 and 20 out at $10 per million, three times.
    assert "VLM: 3 calls, 3,000 tokens in, 60 out, 0 s, $0.0066" in capsys.readouterr().out
    run(config(*over_http(endpoint, tmp_path, "stage=verify")))
    said = capsys.readouterr().out
    assert re.search(r"\] accepted\n +check +episodes +measured +asked\n", said)  # the library's table
    assert re.search(r"\nok +expert_completes +held_out/expert \(20\) +1 +>= 1\n", said)
    run(config(*over_http(endpoint, tmp_path)))
    assert len(endpoint.requests) == 3
    result = result_of(tmp_path, "vlmcar", "openai")
    assert (result["vlm_model"], result["judge"], result["vlm_calls"]) == ("served-model", "programs", 3)
    assert result["vlm_ledger"]["program"]["asked"]["cost"] == pytest.approx(0.0066)
    assert set(result["vlm_ledger"]) == {"program"}


def test_the_key_is_written_nowhere(config: Compose, endpoint: Server, tmp_path: Path, capfd) -> None:
    run(config(*over_http(endpoint, tmp_path, "method=direct_vlm", "method.max_queries=3", "logger=wandb")))
    assert endpoint.requests[0].headers["authorization"] == f"Bearer {KEY}"
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path in files)
    assert any("vlm_cache" in path.parts for path in files)
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    said = capfd.readouterr()
    assert KEY not in said.out + said.err


def test_the_vlm_judges_frames_within_its_limit_and_everything_is_booked(
    config: Compose, endpoint: Server, tmp_path: Path
) -> None:
    limited = ["method=direct_vlm", "method.max_queries=40", "reward.weights=[0.5,0.25,0.25]"]
    run(config(*over_http(endpoint, tmp_path, *limited)))
    assert len(endpoint.requests) == 2 + 40  # describe, decompose; then frames
    result = result_of(tmp_path, "direct_vlm", "openai")
    assert (result["judge"], result["vlm"], result["sandbox"]) == ("VLM queries", "openai", None)
    assert result["subtasks"] == ["key_picked_up", "door_opened", "goal_reached"]
    assert result["judged"]["frames_judged"] == 40
    assert result["judged"]["frames_unasked"] > 0
    asked = result["vlm_ledger"]["decisions"]["asked"]
    assert (asked["calls"], asked["answers"], asked["unclear"]) == (40, 120, 0)
    assert asked["cost"] == pytest.approx(40 * 0.0022)
    assert result["vlm_calls"] == 42
    # "Yes" to the first question alone: its weight, once an episode, where a frame was asked about or remembered.
    folder = tmp_path / "runs/minigrid-doorkey_5x5/direct_vlm/openai/ppo/seed_0"
    returns = [float(row["reward_return"] or 0) for row in rows(folder / "train.csv")]
    assert 0 < max(returns) <= 0.5
    # Both pictures, the first of the episode before the current one.
    pictures = [
        part for part in endpoint.requests[-1].body["messages"][0]["content"] if part["type"] == "image_url"
    ]
    assert len(pictures) == 2
    # The same again, into another folder, costs nothing: the cache has every answer.
    run(config(*over_http(endpoint, tmp_path, *limited, "label=again")))
    assert len(endpoint.requests) == 42
    again = result_of(tmp_path, "direct_vlm-again", "openai")
    assert again["vlm_ledger"]["decisions"]["cached"]["calls"] == 40
    assert "asked" not in again["vlm_ledger"]["decisions"]


def test_an_endpoint_that_is_away_ends_the_run_with_one_line(
    config: Compose, tmp_path: Path, monkeypatch
) -> None:
    prepare(monkeypatch)
    with misbehaving() as server:
        cfg = config(*over_http(server, tmp_path, "vlm.max_retries=0", "vlm.timeout_seconds=5"))
    with pytest.raises(VlmcarError, match="cannot be reached") as caught:
        run(cfg)
    assert "\n" not in str(caught.value)


def test_a_recording_made_over_http_is_replayed_without_it(
    config: Compose, endpoint: Server, tmp_path: Path
) -> None:
    run(config(*over_http(endpoint, tmp_path, "stage=generate", "vlm.record=true")))
    recordings = tmp_path / "recordings"
    replay = [*QUICK, f"results={tmp_path / 'elsewhere'}", "vlm=offline", f"vlm.recordings={recordings}"]
    built = build(config(*replay))
    stored = obtain_program(built, Console("test"))
    assert stored.vlm_model == "served-model"
    assert len(endpoint.requests) == 3
    # Another recording in its place is not lost by accident.
    path = recordings / "minigrid-doorkey_5x5/conversation.jsonl"
    path.write_text(path.read_text().replace("served-model", "other-model"))
    again = over_http(endpoint, tmp_path, "stage=generate", "vlm.record=true")
    with pytest.raises(VlmcarError, match="another recording.*overwrite=true"):
        run(config(*again))
    run(config(*again, "overwrite=true"))
    assert "other-model" not in path.read_text()


def test_every_program_of_a_search_over_http_is_kept_and_booked(
    config: Compose, endpoint: Server, tmp_path: Path
) -> None:
    search = ["stage=generate", "generation=best_of_n", "generation.n=3", "generation.max_calls=4"]
    built = build(config(*over_http(endpoint, tmp_path, *search)))
    stored = obtain_program(built, Console("test"))
    assert len(endpoint.requests) == 4  # one of three would have been the fifth
    assert "program 2 of 3" in endpoint.requests[-1].body["messages"][-1]["content"]
    assert (stored.verdict.accepted, stored.attempts, stored.vlm_calls) == (True, 2, 4)
    assert stored.ledger["program"]["asked"]["calls"] == 4
    assert sorted(path.name for path in (stored.folder / "candidates").iterdir()) == ["1", "2"]
    assert load(stored.folder)[0][-1].text.count(stored.program.source) == 1
    assert obtain_program(built, Console("test")) == stored
    assert len(endpoint.requests) == 4


def test_a_budget_that_ends_before_a_program_says_so_to_those_who_waited_too(
    config: Compose, endpoint: Server, tmp_path: Path
) -> None:
    cfg = config(*over_http(endpoint, tmp_path, "stage=generate", "generation.max_dollars=0.004"))
    with pytest.raises(
        VlmcarError, match=r"max_dollars=0.004 is spent \(2 calls, .* \$0.0044\): raise it"
    ) as failed:
        run(cfg)
    (path,) = tmp_path.glob("programs/*/*/*/rejected.txt")
    assert path.read_text() == str(failed.value)


def test_verify_asks_nobody(config: Compose, tmp_path: Path) -> None:
    with pytest.raises(VlmcarError, match="stage=generate makes one"):
        run(config(*QUICK, f"results={tmp_path}", "stage=verify"))
    assert not list(tmp_path.rglob("program.py"))


def test_simulated_judges_say_so_everywhere(config: Compose, tmp_path: Path) -> None:
    rates = ["vlm.simulated.false_positives=0.02", "vlm.simulated.dollars_per_query=0.01"]
    run(config(*QUICK, f"results={tmp_path}", "method=direct_vlm", *rates))
    result = result_of(tmp_path, "direct_vlm", "simulated_fp0.02_fn0.1")
    assert result["judge"] == "simulated (FP 0.02, FN 0.1)"
    assert (result["false_positives"], result["false_negatives"]) == (0.02, 0.1)
    assert result["vlm_model"].startswith("no VLM judged a frame")
    decisions = result["vlm_ledger"]["decisions"]
    assert set(decisions) == {"projected"}
    assert decisions["projected"]["calls"] == result["judged"]["frames_judged"] > 100
    assert decisions["projected"]["cost"] == pytest.approx(0.01 * decisions["projected"]["calls"])


def test_an_oracle_without_errors_pays_what_a_right_program_pays(config: Compose, tmp_path: Path) -> None:
    """DoorKey-6x6's program agrees with ground truth on every frame that was measured."""
    six = [*QUICK[1:], "env=minigrid/doorkey_6x6", f"results={tmp_path}", "training.steps=8192"]
    for method in ("vlmcar", "oracle"):
        run(config(*six, f"method={method}"))
    root = tmp_path / "runs/minigrid-doorkey_6x6"
    one, two = root / "vlmcar/offline/ppo/seed_0", root / "oracle/simulated_fp0_fn0/ppo/seed_0"
    for name in ("train.csv", "eval.csv"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    assert any(float(row["reward_return"] or 0) > 0 for row in rows(one / "train.csv"))


def test_ground_truth_reaches_simulated_judges_and_nobody_else(
    config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    make_vec = MiniGrid.make_vec

    def spy(self: MiniGrid, *arguments: Any, **named: Any) -> Any:
        asked.append(bool(named.get("truth", len(arguments) > 4 and arguments[4])))
        return make_vec(self, *arguments, **named)

    monkeypatch.setattr(MiniGrid, "make_vec", spy)
    monkeypatch.setattr(MiniGrid, "truth", lambda *_: pytest.fail("ground truth was asked for"))
    for method, wanted in (("vlmcar", False), ("sparse", False), ("direct_vlm", True), ("oracle", True)):
        asked.clear()
        run(config(*QUICK, f"results={tmp_path}", f"method={method}", "training.steps=2048"))
        looked_at, trained_in, *others = asked  # for its actions, and then the training's
        assert trained_in is wanted, method
        assert not looked_at
        assert not any(others)  # evaluation


def test_a_resumed_run_counts_on(config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = config(*QUICK, f"results={tmp_path}", "method=direct_vlm", "method.max_queries=150")
    checkpoint = RunRecorder.checkpoint

    def killed(self: RunRecorder, kept: Any) -> None:
        checkpoint(self, kept)
        raise KeyboardInterrupt

    with monkeypatch.context() as first:
        first.setattr(RunRecorder, "checkpoint", killed)
        with pytest.raises(KeyboardInterrupt):
            run(cfg)
    folder = tmp_path / "runs/minigrid-doorkey_5x5/direct_vlm/simulated_fp0.01_fn0.1/ppo/seed_0"
    before = json.loads((folder / "ledger.json").read_text())["decisions"]["projected"]["calls"]
    assert before == 150  # the limit was reached before the checkpoint
    run(cfg)
    result = result_of(tmp_path, "direct_vlm", "simulated_fp0.01_fn0.1")
    assert result["resumed_at"] == [2048]
    assert not result["resumed_exactly"]  # it has fewer queries left than one that was never stopped
    assert result["judged"]["frames_judged"] == 0  # the limit is the run's, not the session's
    assert result["vlm_ledger"]["decisions"]["projected"]["calls"] == 150
