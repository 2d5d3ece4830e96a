"""The key of an endpoint reaches nothing that is written, and settings are checked before anything runs."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from tests.conftest import ROOT, flat
from tests.vlm.misbehaving_server import (
    KEY,
    Behaviour,
    Server,
    answer,
    error,
    make,
    reply_with,
)
from vlmcar.config import component
from vlmcar.types import VLM, ConfigError, Decider, Message, NoReply, VlmcarError

pytest.importorskip("openai")
pytestmark = pytest.mark.usefixtures("waits")

HELLO = [Message("user", "What is it?")]
QUESTIONS = ("Is the key held?", "Is the door open?")


def ask(server: Server, behaviour: Behaviour) -> Any:
    server.script[:] = [behaviour]
    return make(base_url=server.url).reply(HELLO)


def test_the_key_reaches_nothing_but_the_request(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(
        logging.INFO, "httpcore2"
    )  # at DEBUG it shows the headers of responses, whatever is in them
    echoes = [
        error(401, f"Incorrect API key: {KEY}"),
        error(400, "x" * 190 + KEY),
        reply_with(f"<html>Bearer {KEY}</html>".encode(), content_type="text/html"),
        reply_with(f'{{"Authorization": "Bearer {KEY}"}}'.encode()),
        reply_with(b"<p>", content_type=f"text/html; {KEY}"),
        answer(None, message={"refusal": KEY}),
    ]
    texts = []
    for echo in echoes:
        with pytest.raises(NoReply) as caught:
            ask(server, echo)
        texts += [repr(caught.value), str(caught.value.__cause__)]
    server.script[:] = [answer(f"Your key is {KEY}.", model=f"model-{KEY}")]
    vlm = make(base_url=server.url)
    reply = vlm.reply(HELLO)
    assert reply.text == "Your key is ***."
    texts += [repr(reply), repr(vlm), repr(vlm.identity([])), repr(dataclasses.asdict(vlm)), str(vars(vlm))]
    assert all(KEY in request.headers["authorization"] for request in server.requests)
    assert all(KEY[:10] not in text for text in texts)
    assert caplog.records  # the client does log
    assert KEY not in caplog.text


def test_a_short_key_is_a_word_that_a_program_may_hold(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "EMPTY")
    assert ask(server, answer("EMPTY = 0")).text == "EMPTY = 0"


def test_nobody_turns_the_clients_logging_on(server: Server) -> None:
    def state() -> list[tuple[int, int]]:
        loggers = [logging.getLogger(name) for name in ("openai", "httpx2", "httpcore2", "")]
        return [(logger.level, len(logger.handlers)) for logger in loggers]

    before = state()
    ask(server, answer())
    assert state() == before


@pytest.mark.parametrize("value", [None, "", "  \n"])
def test_a_missing_key_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("MY_KEY", value)
    vlm = make(api_key_env="MY_KEY")
    for call in (lambda: vlm.reply(HELLO), lambda: vlm.decide([(flat(1),)], QUESTIONS)):
        with pytest.raises(VlmcarError, match="environment variable MY_KEY is not set.*vlm.api_key_env"):
            call()


def test_a_key_with_a_line_break_is_read_without_it(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\r\n")
    ask(server, answer())
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\n{KEY}")
    with pytest.raises(VlmcarError) as caught:
        ask(server, answer())
    assert "OPENAI_API_KEY holds no API key" in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(VlmcarError, match=re.escape("pip install 'vlmcar[openai]'")):
        make().reply(HELLO)


# Settings.


def test_building_does_nothing() -> None:
    code = (
        "import sys; from omegaconf import OmegaConf; from vlmcar.config import component; "
        "node = OmegaConf.load('conf/vlm/openai.yaml'); node.model = 'm'; vlm = component('vlm', node); "
        "vlm.identity([]); print([name for name in ('openai', 'httpx2') if name in sys.modules])"
    )
    environment = {k: v for k, v in os.environ.items() if k != "OPENAI_API_KEY"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_the_protocols_are_kept() -> None:
    vlm = make()
    assert isinstance(vlm, VLM)
    assert isinstance(vlm, Decider)


def test_the_identity_is_what_can_change_an_answer() -> None:
    same = {
        "base_url": "https://api.openai.com/v1/", "api_key_env": "OTHER_KEY", "timeout_seconds": 3.0,
        "max_retries": 0, "parallel": 1, "input_price": 1.0, "output_price": 1.0, "cache": False, "record": True,
    }  # fmt: skip
    other = {
        "model": "b", "base_url": "http://localhost/v1", "temperature": None, "max_tokens": 9, "seed": 1,
        "extra": {"a": 1},
    }  # fmt: skip
    reference = make().identity([])
    json.dumps(reference)
    assert all(make(**{key: value}).identity([flat(3)]) == reference for key, value in same.items())
    assert all(make(**{key: value}).identity([]) != reference for key, value in other.items())
    # How yes or no is asked changes decisions, and no program.
    assert make(decisions="systemone").identity([]) == reference
    decided = make().decision_identity()
    assert all(make(**{key: value}).decision_identity() == decided for key, value in same.items())
    assert all(
        make(**{key: value}).decision_identity() != decided
        for key, value in {**other, "decisions": "systemone"}.items()
    )


SECRET = "AIzaSyD-qNTx3secret"
BAD = [
    ({"api_key_env": KEY}, "must be the NAME of an environment variable"),
    ({"api_key_env": "gsk_x7secret"}, "must be the NAME of an environment variable"),
    ({"api_key_env": "A" * 65}, "65 characters"),
    ({"api_key_env": ""}, "must be the NAME"),
    ({"base_url": f"https://me:{SECRET}@host/v1"}, "no user, password, query"),
    ({"base_url": f"https://host/v1?key={SECRET}"}, "no user, password, query"),
    ({"base_url": f"https://host/v1#{SECRET}"}, "no user, password, query"),
    ({"base_url": "localhost:8000/v1"}, "vlm.base_url='localhost:8000/v1' is no address"),
    ({"base_url": "ftp://host"}, "is no address"),
    ({"base_url": "http://"}, "is no address"),
    ({"base_url": "http://[::1/v1"}, "is no address"),
    ({"base_url": "http://host:99999/v1"}, "is no address"),
    ({"base_url": "http://ho st/v1"}, "is no address"),
    ({"base_url": "http://a..b/v1"}, "is no address"),
    ({"base_url": "http://\ud800/v1"}, "is no address"),
    ({"model": " "}, "vlm.model is empty"),
    ({"temperature": 2.5}, "vlm.temperature=2.5 must be from 0 to 2"),
    ({"max_tokens": 0}, "vlm.max_tokens=0"),
    ({"max_tokens_parameter": "tokens"}, "neither max_completion_tokens nor max_tokens"),
    ({"timeout_seconds": 0}, "vlm.timeout_seconds=0"),
    ({"max_retries": -1}, "vlm.max_retries=-1 must be from 0 to 20"),
    ({"max_retries": 1000}, "vlm.max_retries=1000 must be from 0 to 20"),
    ({"parallel": 0}, "vlm.parallel=0"),
    ({"input_price": -0.1}, "vlm.input_price=-0.1"),
    ({"decisions": "logprobs"}, "vlm.decisions=logprobs is neither chat nor systemone"),
    ({"extra": {"stream": True}}, "vlm.extra.stream"),
    ({"extra": {"model": "b"}}, "vlm.extra.model has a setting of its own"),
    ({"extra": {"api_key": SECRET}}, "vlm.extra: api_key would be written"),
    ({"extra": {"provider": [{"x-api-key": SECRET}]}}, "vlm.extra: x-api-key would be written"),
    ({"extra": {"extra_headers": {"Authorization": SECRET}}}, "vlm.extra: Authorization would be written"),
    ({"extra": {"access_token": SECRET}}, "vlm.extra: access_token would be written"),
    ({"extra": {"top_p": math.nan}}, "vlm.extra must be JSON"),
    ({"extra": None}, "vlm.extra"),
    ({"seed": "x"}, "vlm.seed=x"),
]


@pytest.mark.parametrize(("changes", "words"), BAD, ids=[words for _, words in BAD])
def test_a_bad_setting_is_one_line_before_anything_runs(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make(**changes)
    text = str(caught.value)
    assert words in text
    assert "\n" not in text
    assert "secret" not in text
    assert KEY not in text


def test_the_model_has_no_default() -> None:
    with pytest.raises(ConfigError, match=r"vlm\.model has no default.*vlm\.model="):
        component("vlm", OmegaConf.load(ROOT / "conf/vlm/openai.yaml"))


def test_an_address_that_looks_right_and_is_not() -> None:
    with pytest.raises(VlmcarError, match="vlm.base_url=http://\u2603/v1") as caught:
        make(base_url="http://\u2603/v1", max_retries=0).reply(HELLO)
    assert "\n" not in str(caught.value)


def test_extra_parameters_come_from_the_command_line(config: Callable[..., DictConfig]) -> None:
    cfg = config("vlm=openai", "vlm.model=m", "+vlm.extra.reasoning_effort=low")
    assert component("vlm", cfg.vlm).extra == {"reasoning_effort": "low"}
