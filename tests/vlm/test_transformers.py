"""``vlm=transformers`` on a tiny model with random weights: known answers by hand, and errors that say what to do."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf

from tests.conftest import ROOT, flat
from vlmcar.types import VLM, ConfigError, Decider, Frame, Message, NoReply, Truncated, VlmcarError
from vlmcar.vlm import tiny, weights
from vlmcar.vlm import transformers as backend
from vlmcar.vlm.transformers import Transformers, without_thoughts

YAML = ROOT / "conf" / "vlm" / "transformers.yaml"
QUESTIONS = (
    "Is the door open?",
    "Picture 1 was taken at the start. Compare them: has the agent reached the goal?",
)


def picture(seed: int, height: int = 64, width: int = 64) -> Frame:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def mixed_views() -> list[tuple[Frame, ...]]:
    """16 views of one or two pictures in several sizes."""
    sizes = [(64, 64), (256, 256), (160, 96), (3, 40)]
    return [tuple(picture(10 * n + i, *sizes[n % 4]) for i in range(1 + n % 2)) for n in range(16)]


def next_token(loaded: weights.Loaded, prompt: str, pictures: Sequence[Frame]) -> np.ndarray:
    """Probability of each next token, by the shortest way: no template, no batch, no padding."""
    torch, _ = weights.packages()
    from PIL import Image

    images = [Image.fromarray(p) for p in pictures]
    inputs = loaded.processor(text=prompt, images=images, return_tensors="pt", add_special_tokens=False)
    with torch.inference_mode():
        scores = loaded.model(**inputs).logits[0, -1].double().numpy()
    return np.exp(scores) / np.exp(scores).sum()


def test_it_is_a_vlm_and_a_decider(local_vlm: Callable[..., Transformers]) -> None:
    vlm = local_vlm()
    assert isinstance(vlm, VLM)
    assert isinstance(vlm, Decider)


def test_building_is_free() -> None:
    code = f"""
import sys
from omegaconf import OmegaConf
from vlmcar.config import component
node = OmegaConf.load({str(YAML)!r})
node.model = "some/model"
vlm = component("vlm", node)
assert vlm.identity([])["model"] == "some/model"
import vlmcar.vlm.tiny
loaded = {{"torch", "transformers", "tokenizers", "PIL"}} & set(sys.modules)
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


# Replies


CHAT = [
    Message("system", "be exact"),
    Message("user", "what is there?", (picture(1), picture(2, 40, 90))),
    Message("assistant", "a door"),
    Message("user", "is it open?"),
]
CHAT_PROMPT = (
    "<s><|system|>be exact<|end|><|user|><image><image>what is there?<|end|>"
    "<|assistant|>a door<|end|><|user|>is it open?<|end|><|assistant|>"
)


@pytest.mark.parametrize("max_tokens", [5, 12])  # the end may be the last token that is allowed
def test_a_reply_is_the_likeliest_token_again_and_again(
    local_vlm: Callable[..., Transformers], max_tokens: int
) -> None:
    vlm = local_vlm(max_tokens=max_tokens, input_price=2.0, output_price=10.0)
    tokenizer = vlm._loaded.processor.tokenizer
    prompt, written = CHAT_PROMPT, []
    for _ in range(5):
        best = int(next_token(vlm._loaded, prompt, CHAT[1].images).argmax())
        written.append(best)
        prompt += tokenizer.decode([best])
    vlm._loaded.model.generation_config.eos_token_id = [999, written[-1]]  # it ends there
    reply = vlm.reply(CHAT)
    assert reply.text == tokenizer.decode(written, skip_special_tokens=True).strip()
    assert reply.output_tokens == len(written) == 5
    asked = len(tokenizer.encode(CHAT_PROMPT.replace("<image>", "<image>" * 16), add_special_tokens=False))
    assert reply.input_tokens == asked
    assert reply.cost == pytest.approx((asked * 2 + 5 * 10) / 1e6)
    assert reply.model == vlm.model
    assert local_vlm(input_price=None)._cost(1, 1) is None


def test_a_reply_without_an_end_is_truncated(local_vlm: Callable[..., Transformers]) -> None:
    with pytest.raises(Truncated, match=r"vlm\.max_tokens=12"):
        local_vlm().reply(CHAT)


def test_an_empty_reply_is_none(local_vlm: Callable[..., Transformers]) -> None:
    vlm = local_vlm()
    vlm._loaded.model.generation_config.eos_token_id = int(
        next_token(vlm._loaded, CHAT_PROMPT, CHAT[1].images).argmax()
    )
    vlm._loaded.processor.tokenizer.decode = lambda *_, **__: (
        ""
    )  # as of a token that is meant to end an answer
    with pytest.raises(NoReply, match="answered nothing"):
        vlm.reply(CHAT)


def test_sampling_follows_its_seed_and_leaves_the_generator_of_training_alone(
    local_vlm: Callable[..., Transformers],
) -> None:
    torch, _ = weights.packages()

    def sampled(**changes: Any) -> list[int]:
        vlm = local_vlm(temperature=1.0, **changes)
        return vlm._generate(vlm._inputs([CHAT]))[0].tolist()

    before = torch.get_rng_state()
    assert sampled(seed=3) == sampled(seed=3)
    assert sampled(seed=3) != sampled(seed=4)
    assert torch.equal(torch.get_rng_state(), before)


def test_thoughts_are_no_part_of_the_answer() -> None:
    assert without_thoughts("<think>\na door?\n</think>\n\nYes, a door.\n") == "Yes, a door."
    assert without_thoughts("a door </think>Yes.") == "Yes."
    assert without_thoughts(" Yes. ") == "Yes."


def test_a_model_loads_once_and_says_so_in_one_line(
    local_vlm: Callable[..., Transformers], capfd: pytest.CaptureFixture[str]
) -> None:
    vlm = local_vlm(dtype="bfloat16")
    for _ in range(2):
        vlm.decide([(flat(7),)], QUESTIONS)
    out, err = capfd.readouterr()
    assert out == f"vlm: loading {vlm.model} on cpu, dtype bfloat16\n"
    assert err == ""
    assert str(vlm._loaded.model.dtype) == "torch.bfloat16"


# Decisions


def by_hand(vlm: Transformers, view: Sequence[Frame], question: str) -> tuple[float, float]:
    """P(yes) and the probability of yes and no together."""
    prompt = f"<s><|user|>{'<image>' * len(view)}{question}\nAnswer with Yes or No.<|end|><|assistant|>"
    probability = next_token(vlm._loaded, prompt, view)
    tokens = vlm._loaded.processor.tokenizer.get_vocab()
    yes, no = (probability[tokens[w]] + probability[tokens[f"Ġ{w}"]] for w in ("Yes", "No"))
    return yes / (yes + no), yes + no


def test_decisions_are_those_by_hand_whatever_the_batch(local_vlm: Callable[..., Transformers]) -> None:
    views = mixed_views()
    one, many = local_vlm(batch_size=1, input_price=1.0), local_vlm(batch_size=16)
    expected = [[by_hand(one, view, question)[0] for question in QUESTIONS] for view in views]
    assert np.std(expected, axis=0).min() > 0.1  # so that a mixed-up order would show
    singly, together = one.decide(views, QUESTIONS), many.decide(views, QUESTIONS)
    np.testing.assert_allclose(singly.probabilities, expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(together.probabilities, expected, rtol=0, atol=1e-5)
    assert (singly.calls, together.calls) == (32, 2)
    assert singly.input_tokens == together.input_tokens
    assert singly.output_tokens == 0
    assert singly.cost == pytest.approx((singly.input_tokens or 0) / 1e6)


def test_the_large_random_model_is_as_large_as_the_one_it_stands_for() -> None:
    import torch
    from transformers import AutoModelForImageTextToText

    with torch.device("meta"):  # nothing is allocated
        model = AutoModelForImageTextToText.from_config(tiny._config(tiny._tokenizer(), tiny.SIZES["7b"]))
    # LLaVA-1.5-7B: 6.74 billion of Vicuna, 0.30 billion of CLIP-ViT-L/14 and 0.02 billion between them
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(7.06e9, rel=0.01)


def test_a_batch_is_one_pass_that_scores_the_last_position_only(
    local_vlm: Callable[..., Transformers],
) -> None:
    vlm = local_vlm(batch_size=16)
    scored, seen = [], []
    vlm._loaded.model.lm_head.register_forward_hook(lambda _, given, __: scored.append(tuple(given[0].shape)))
    tower = vlm._loaded.model.model.vision_tower
    tower.register_forward_pre_hook(
        lambda _, given, named: seen.append(len(given[0] if given else named["pixel_values"])),
        with_kwargs=True,
    )
    assert vlm.decide([(picture(n),) for n in range(20)], QUESTIONS[:1]).calls == 2
    assert scored == [(16, 1, tiny.SIZES["tiny"].text[0]), (4, 1, tiny.SIZES["tiny"].text[0])]
    assert seen == [16, 4]


def test_an_answer_that_is_neither_is_none(local_vlm: Callable[..., Transformers]) -> None:
    views = mixed_views()
    vlm = local_vlm()
    mass = np.array([by_hand(vlm, view, QUESTIONS[0])[1] for view in views])
    least = float(np.median(mass))
    found = local_vlm(min_answer_mass=least).decide(views, QUESTIONS[:1]).probabilities[:, 0]
    np.testing.assert_array_equal(np.isnan(found), mass < least)
    assert np.isnan(local_vlm(min_answer_mass=1.0).decide(views, QUESTIONS).probabilities).all()


def test_nothing_to_decide_is_no_call(local_vlm: Callable[..., Transformers]) -> None:
    decided = local_vlm().decide([], QUESTIONS)
    assert decided.probabilities.shape == (0, 2)
    assert decided.calls == 0


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_decisions_agree_with_the_pipeline_of_transformers(
    local_vlm: Callable[..., Transformers], tiny_vlm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That one knows one spelling of each answer, and has words of its own around the question."""
    from PIL import Image
    from transformers import pipeline

    monkeypatch.setattr(backend, "INSTRUCTION", "Answer Yes or No only.")
    monkeypatch.setattr(backend, "YES", ("Yes",))
    monkeypatch.setattr(backend, "NO", ("No",))
    with weights.quiet():
        ask = pipeline("decision", model=str(tiny_vlm), device="cpu")
    views, expected = mixed_views(), []
    for view in views:
        assets = {f"picture-{n}": Image.fromarray(shown) for n, shown in enumerate(view)}
        question = {"type": "noul", "instructions": QUESTIONS[0]}
        answer = ask({"state": "".join(assets), "questions": {"q": question}, "assets": assets})
        expected.append(answer["q"]["noul"])
    decided = local_vlm().decide(views, [f"\n\n{QUESTIONS[0]}"])
    np.testing.assert_allclose(decided.probabilities[:, 0], expected, rtol=0, atol=1e-5)


# Identity


CHANGES_ANSWERS = {
    "dtype": "bfloat16",
    "max_tokens": 13,
    "temperature": 0.5,
}
CHANGES_DECISIONS = {"dtype": "bfloat16", "min_answer_mass": 0.2}
CHANGES_NOTHING = {
    "device": "auto",
    "seed": 5,  # at temperature 0
    "batch_size": 3,
    "input_price": 1.0,
    "output_price": None,
    "cache": False,
    "record": True,
    "revision": "main",  # of a folder
}


def test_identity_is_what_can_change_an_answer(local_vlm: Callable[..., Transformers]) -> None:
    named = {**CHANGES_ANSWERS, **CHANGES_DECISIONS, **CHANGES_NOTHING, "name": 0, "model": 0, "_target_": 0}
    assert set(named) == set(OmegaConf.load(YAML))
    plain = local_vlm().identity([])
    json.dumps(plain)  # a key of files
    for key, value in CHANGES_ANSWERS.items():
        assert local_vlm(**{key: value}).identity([]) != plain, key
    for key, value in CHANGES_NOTHING.items():
        assert local_vlm(**{key: value}).identity([]) == plain, key
    decided = local_vlm().decision_identity()
    for key, value in {**CHANGES_ANSWERS, **CHANGES_DECISIONS, **CHANGES_NOTHING}.items():
        changed = local_vlm(**{key: value}).decision_identity() != decided
        assert changed is (key in CHANGES_DECISIONS), key
    assert local_vlm(temperature=1.0, seed=1).identity([]) != local_vlm(temperature=1.0, seed=2).identity([])


def test_identity_on_the_hub_has_its_revision(local_vlm: Callable[..., Transformers]) -> None:
    identity = local_vlm(model="some/model", revision="v1").identity([])
    assert (identity["model"], identity["revision"]) == ("some/model", "v1")


# Errors


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model", " ", "vlm.model is empty"),
        ("device", "gpu", "vlm.device=gpu is none of auto, cpu, cuda, mps"),
        ("dtype", "int8", "vlm.dtype=int8 is none of auto"),
        ("max_tokens", 0, "vlm.max_tokens=0 must be at least 1"),
        ("batch_size", 0, "vlm.batch_size=0 must be at least 1"),
        ("temperature", -0.5, "vlm.temperature=-0.5 must be 0 or more"),
        ("seed", -1, "vlm.seed=-1 must be 0 or more"),
        ("input_price", -1.0, "vlm.input_price=-1.0 must be 0 or more"),
        ("min_answer_mass", 1.5, "vlm.min_answer_mass=1.5 is a probability"),
    ],
)
def test_settings_are_checked(
    local_vlm: Callable[..., Transformers], key: str, value: Any, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        local_vlm(**{key: value})


def fails(vlm: Transformers, kind: type[VlmcarError] = VlmcarError) -> str:
    with pytest.raises(kind) as caught:
        vlm.decide([(flat(7),)], QUESTIONS[:1])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_template_that_refuses_a_role_is_quoted(
    local_vlm: Callable[..., Transformers], tiny_vlm: Path, tmp_path: Path
) -> None:
    strict = Path(shutil.copytree(tiny_vlm, tmp_path / "strict"))
    (strict / "chat_template.jinja").write_text("{{ raise_exception('no system role') }}", encoding="utf-8")
    assert fails(local_vlm(model=str(strict))).endswith("refuses: no system role")


def test_a_model_without_a_token_for_an_answer_is_refused(
    local_vlm: Callable[..., Transformers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "NO", ("no", "NO"))  # several tokens each, in the tiny vocabulary
    assert "no single token for no" in fails(local_vlm())


@pytest.mark.parametrize(
    "words",
    ["CUDA out of memory. Tried to allocate 2.00 GiB", "DefaultCPUAllocator: can't allocate memory: 12"],
)
def test_too_little_memory_says_what_to_lower(local_vlm: Callable[..., Transformers], words: str) -> None:
    vlm = local_vlm()

    def generate(**_: Any) -> None:
        raise RuntimeError(words)

    vlm._loaded.model.generate = generate
    assert "take vlm.batch_size below 1, vlm.dtype=bfloat16" in fails(vlm, NoReply)
    with pytest.raises(NoReply, match=r"vlm\.max_tokens"):
        vlm.reply(CHAT)


def test_another_error_in_the_model_stays_what_it_is(local_vlm: Callable[..., Transformers]) -> None:
    vlm = local_vlm()

    def generate(**_: Any) -> None:
        raise RuntimeError("shapes differ")

    vlm._loaded.model.generate = generate
    with pytest.raises(RuntimeError, match="shapes differ"):
        vlm.reply(CHAT)
