"""Yes-or-no questions to an endpoint: by chat, taken to the letter, or by typed decisions; and a real server."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import flat
from tests.vlm.misbehaving_server import (
    Behaviour,
    Server,
    answer,
    decoded,
    error,
    make,
    reply_with,
)
from vlmcar.types import Message, NoReply, Truncated
from vlmcar.vlm.openai import decision_prompt, parse_decisions

pytest.importorskip("openai")
pytestmark = pytest.mark.usefixtures("waits")

QUESTIONS = ("Has the key been picked up?", "Is the door open now?")


N = math.nan
PARSED = [
    ("1. yes\n2. no", [1, 0]),
    ("2. no\n1. yes", [1, 0]),
    ("1. YES.\r\n2. No.", [1, 0]),
    ("1.yes\n2.  no \t", [1, 0]),
    ("  1. yes\n\n\n2. no\n", [1, 0]),
    ("Here they are:\n1. yes\n2. no\nAnything else?", [1, 0]),
    ("1. yes", [1, N]),
    ("1. yes\n2. maybe", [1, N]),
    ("1. yes\n2. no, since it is shut", [1, N]),
    ("1. yes\n2. yes or no", [1, N]),
    ("1. yes\n2.", [1, N]),
    ("1. yes\n1. no\n2. no", [N, 0]),
    ("1. yes\n1. yes\n2. no", [N, 0]),
    ("1. yes\n1. hm\n2. no", [N, 0]),
    ("1. yes\n2. no\n3. yes", [1, 0]),
    ("0. yes\n1. no\n2. no", [0, 0]),
    ("01. yes\n2. no", [N, 0]),
    ("1) yes\n2: no", [N, N]),
    ("- 1. yes\n**2. no**", [N, N]),
    ("1. yes 2. no", [N, N]),
    ("yes\nno", [N, N]),
    ("1. yes..\n2. no!", [N, N]),
    ("1. ye\u017f\n2. n\u00f6", [N, N]),  # a long s is no s
    ("\u0661. yes\n2. no", [N, 0]),
    ("9" * 5000 + ". yes\n2. no", [N, 0]),
    ("1. ja\n2. non", [N, N]),
    ("", [N, N]),
]


@pytest.mark.parametrize(("text", "values"), PARSED)
def test_answers_are_taken_to_the_letter(text: str, values: list[float]) -> None:
    np.testing.assert_array_equal(parse_decisions(text, 2), values)


PIECES = st.sampled_from(
    ["1", "2", "3", ".", " ", "\n", "yes", "no", "Yes", "NO.", "\r", "\u2028", "maybe", "\t"]
)


@settings(deadline=None)
@given(st.one_of(st.text(), st.lists(PIECES).map("".join)), st.integers(0, 4))
def test_whatever_is_said_is_yes_no_or_neither(text: str, count: int) -> None:
    values = parse_decisions(text, count)
    assert len(values) == count
    assert all(value in (0, 1) or math.isnan(value) for value in values)
    for number, value in enumerate(values, start=1):
        if not math.isnan(value):  # and the word stands behind the number, in this order
            assert re.search(rf"{number}\.[ \t]*{'yes' if value else 'no'}", text, re.IGNORECASE)


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=30))
def test_a_plain_answer_comes_back_as_it_was_given(answers: list[bool]) -> None:
    text = "\n".join(f"{n}. {'yes' if a else 'no'}" for n, a in enumerate(answers, start=1))
    assert parse_decisions(text, len(answers)) == answers


def test_the_prompt_numbers_the_questions_and_favours_no_answer() -> None:
    text = decision_prompt(2, ["Is it open?", "Is\nit {red}?"])
    assert "2 pictures, in order" in text
    assert "\n1. Is it open?\n2. Is it {red}?\n" in text
    assert text.endswith("exactly 2 lines and nothing else, in this form:\n1. yes or no\n2. yes or no")
    assert "one picture." in decision_prompt(1, ["?"])
    assert "exactly one line" in decision_prompt(1, ["?"])
    assert all(math.isnan(value) for value in parse_decisions(text, 2))  # to repeat it is no answer


def by_picture(behaviours: dict[int, Behaviour]) -> Behaviour:
    """Chosen by the first pixel of the first picture, since requests overtake each other."""

    def behave(handler: Any) -> None:
        behaviours[int(decoded(handler.body["messages"][0]["content"][0])[0, 0, 0])](handler)

    return behave


def test_decisions_stay_in_order_and_add_up(server: Server) -> None:
    server.script[:] = [
        by_picture(
            {
                10: answer("1. yes\n2. no"),
                20: answer("1. no\n2. hm"),
                30: answer("1. yes\n2. no", finish_reason="length"),
                40: answer("1. yes\n2. no", finish_reason="content_filter"),
                50: answer(None),
                60: answer("1. no\n2. yes"),
            }
        )
    ]
    vlm = make(base_url=server.url, input_price=1.0, output_price=100.0, parallel=3)
    decisions = vlm.decide([(flat(n), flat(0)) for n in range(10, 70, 10)], QUESTIONS)
    np.testing.assert_array_equal(decisions.probabilities, [[1, 0], [0, N], [N, N], [N, N], [N, N], [0, 1]])
    assert (decisions.calls, decisions.model) == (6, "served-model")
    assert (decisions.input_tokens, decisions.output_tokens) == (6000, 120)
    assert decisions.cost == pytest.approx(0.018)
    assert 1 <= server.most_under_way <= 3
    content = server.requests[0].body["messages"][0]["content"]
    assert [part["type"] for part in content] == ["image_url", "image_url", "text"]
    assert content[2]["text"] == decision_prompt(2, QUESTIONS)
    assert server.requests[0].body["max_completion_tokens"] == 8192


def test_as_many_requests_are_under_way_as_may_be(server: Server) -> None:
    together = threading.Barrier(3)

    def behave(handler: Any) -> None:
        together.wait(timeout=60)  # nobody is answered before three have asked
        answer("1. no\n2. no")(handler)

    server.script[:] = [behave]
    decisions = make(base_url=server.url, parallel=3).decide([(flat(1),)] * 6, QUESTIONS)
    assert not decisions.probabilities.any()
    assert server.most_under_way == 3


def test_one_unknown_makes_the_sum_unknown_and_retries_are_calls(server: Server) -> None:
    server.script[:] = [error(500), answer("1. yes", usage=None), answer("1. no")]
    vlm = make(base_url=server.url, input_price=1.0, output_price=1.0, parallel=1)
    decisions = vlm.decide([(flat(1),), (flat(2),)], QUESTIONS[:1])
    np.testing.assert_array_equal(decisions.probabilities, [[1], [0]])
    assert decisions.calls == 3
    assert (decisions.input_tokens, decisions.output_tokens, decisions.cost) == (None, None, None)


def test_nothing_to_decide_asks_nobody(server: Server) -> None:
    vlm = make(base_url=server.url)
    assert vlm.decide([], QUESTIONS).probabilities.shape == (0, 2)
    assert vlm.decide([(flat(1),)], []).probabilities.shape == (1, 0)
    assert server.requests == []


@pytest.mark.parametrize("behaviour", [error(401), reply_with(b"<html>", content_type="text/html")])
def test_an_endpoint_that_fails_stops_the_batch(server: Server, behaviour: Behaviour) -> None:
    server.script[:] = [answer("1. yes\n2. no"), behaviour]
    with pytest.raises(NoReply):
        make(base_url=server.url, parallel=2, max_retries=0).decide([(flat(1),)] * 50, QUESTIONS)
    assert len(server.requests) < 50


# Typed decisions.


def test_what_was_answered_before_a_failure_comes_with_it(server: Server) -> None:
    server.script = [answer("1. yes\n2. no"), answer("1. no\n2. no"), error(400)]
    views = [(flat(value),) for value in range(4)]
    with pytest.raises(NoReply) as caught:
        make(base_url=server.url, parallel=1, input_price=1.0, output_price=1.0).decide(views, QUESTIONS)
    spent = caught.value.spent
    np.testing.assert_array_equal(spent.probabilities, [[1, 0], [0, 0], [N, N], [N, N]])
    assert (spent.calls, spent.input_tokens, spent.output_tokens) == (2, 2000, 40)
    assert spent.cost == pytest.approx(2040e-6)


def test_refused_and_cut_off_views_are_told_apart(server: Server) -> None:
    refused = answer(None, message={"refusal": "no"})
    server.script = [answer("1. yes\n2. no"), refused, answer("1.", finish_reason="length"), answer("maybe")]
    decided = make(base_url=server.url, parallel=1).decide([(flat(value),) for value in range(4)], QUESTIONS)
    assert (decided.refused, decided.truncated, int(np.isnan(decided.probabilities).sum())) == (1, 1, 6)


def test_typed_decisions_are_sent_and_read(server: Server) -> None:
    usage = {"input_tokens": 5, "output_tokens": 0}
    answers = {"1": {"type": "noul", "noul": 0.25}, "0": {"type": "noul", "noul": 1}}
    server.script[:] = [reply_with(json.dumps({"model": "m", "answers": answers, "usage": usage}).encode())]
    vlm = make(base_url=server.url, decisions="systemone", input_price=1.0, output_price=1.0)
    decisions = vlm.decide([(flat(1), flat(2))], QUESTIONS)
    np.testing.assert_array_equal(decisions.probabilities, [[1, 0.25]])
    assert (decisions.calls, decisions.model, decisions.input_tokens, decisions.output_tokens) == (
        1,
        "m",
        5,
        0,
    )
    assert decisions.cost == pytest.approx(5e-6)
    (request,) = server.requests
    assert request.path == "/v1/systemone"
    assert request.body["questions"]["1"] == {"type": "noul", "instructions": QUESTIONS[1]}
    assert list(request.body["assets"]) == request.body["state"].splitlines()


@pytest.mark.parametrize("second", [None, {}, {"noul": None}, {"noul": "yes"}, {"noul": True}, {"noul": 1.5}])
def test_a_typed_answer_that_is_no_probability_is_no_reply(server: Server, second: Any) -> None:
    vlm = make(base_url=server.url, decisions="systemone")
    for answers in (None, [], {"0": {"noul": 0.5}, "1": second}):
        server.script[:] = [reply_with(json.dumps({"answers": answers}).encode())]
        with pytest.raises(NoReply, match="a probability from 0 to 1 for every question"):
            vlm.decide([(flat(1),)], QUESTIONS)


# A server that nobody here wrote.


@pytest.fixture(scope="module")
def served(tiny_vlm: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``transformers serve`` with the tiny model: its base_url."""
    command = Path(sys.executable).with_name("transformers")
    pytest.importorskip("uvicorn")
    pytest.importorskip("fastapi")
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = tmp_path_factory.mktemp("serve")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(home), "OMP_NUM_THREADS": "1"}
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [command, "serve", tiny_vlm, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"],
            env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            wait_until_up(process, f"http://127.0.0.1:{port}/health", home / "log")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_up(process: subprocess.Popen, url: str, log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), opener.open(url, timeout=1) as response:
            if response.status == 200:
                return
        time.sleep(0.2)
    raise AssertionError(log.read_text())


def test_against_transformers_serve(served: str, tiny_vlm: Path) -> None:
    """One test, so that one server is started. Weights are random, so the words are noise; the rest is not."""
    first, second = np.random.default_rng(0).integers(0, 256, (2, 32, 48, 3), dtype=np.uint8)
    choices = {"base_url": served, "model": str(tiny_vlm), "api_key_env": None, "max_tokens": 12}
    messages = [Message("system", "Be exact."), Message("user", "What is it?", (first, second))]

    with pytest.raises(Truncated, match=r"vlm\.max_tokens=12"):  # noise does not end by itself
        make(**choices).reply(messages)
    ending = {"eos_token_id": 2, "exponential_decay_length_penalty": [4, 100.0]}
    reply = make(**choices, extra={"generation_config": json.dumps(ending)}).reply(messages)
    assert reply.text
    assert reply.model.startswith(str(tiny_vlm))
    assert reply.input_tokens is not None
    assert reply.input_tokens > 2 * 16  # two pictures of 4 x 4 patches
    assert reply.output_tokens in range(1, 12)
    with pytest.raises(NoReply, match="HTTP 400: .*requested 'another'"):
        make(**{**choices, "model": "another"}).reply(messages)

    views = [(first, second), (second, first), (second,)]
    decisions = make(**choices).decide(views, QUESTIONS)
    assert np.isnan(decisions.probabilities).all()
    assert (decisions.calls, decisions.probabilities.shape, decisions.output_tokens) == (3, (3, 2), 36)

    typed = make(**choices, decisions="systemone").decide(views, QUESTIONS)
    np.testing.assert_allclose(typed.probabilities, by_pipeline(tiny_vlm, views), rtol=1e-4)
    assert ((typed.probabilities > 0) & (typed.probabilities < 1)).all()
    assert (
        len(np.unique(typed.probabilities.round(4))) == 6
    )  # pictures, their order and the question all matter
    assert (typed.calls, typed.output_tokens) == (3, 0)


def by_pipeline(tiny: Path, views: Sequence[tuple[np.ndarray, ...]]) -> list[list[float]]:
    """What the pipeline behind the server says when it is asked here: (batch, num_questions)."""
    from PIL import Image
    from transformers import pipeline

    decide = pipeline("decision", model=str(tiny), device="cpu")
    rows = []
    for view in views:
        assets = {f"#{n}": Image.fromarray(picture) for n, picture in enumerate(view)}
        questions = {text: {"type": "noul", "instructions": text} for text in QUESTIONS}
        answers = decide({"state": "\n".join(assets), "questions": questions, "assets": assets})
        rows.append([answers[text]["noul"] for text in QUESTIONS])
    return rows
