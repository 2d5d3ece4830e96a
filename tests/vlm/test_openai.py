"""Any OpenAI-compatible endpoint: what is sent, what comes back, and all that can go wrong in between."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import socket
from typing import Any

import numpy as np
import pytest

from tests.conftest import flat
from tests.vlm.misbehaving_server import (
    KEY,
    Behaviour,
    Server,
    answer,
    completion,
    cut,
    decoded,
    error,
    flood,
    hang,
    hang_up,
    make,
    reply_with,
    trickle,
    trickling_body,
)
from vlmcar.types import Message, NoReply, Refused, Truncated

pytest.importorskip("openai")
pytestmark = pytest.mark.usefixtures("waits")

HELLO = [Message("system", "Be exact."), Message("user", "What is it?")]
QUESTIONS = ("Is the key held?", "Is the door open?")


def ask(server: Server, *script: Behaviour, **changes: Any) -> Any:
    server.script[:] = script
    return make(base_url=server.url, **changes).reply(HELLO)


def failure(server: Server, *script: Behaviour, kind: type[NoReply] = NoReply, **changes: Any) -> str:
    """The error, which is one line of its kind exactly, and knows no key."""
    with pytest.raises(NoReply) as caught:
        ask(server, *script, **changes)
    assert type(caught.value) is kind
    text = str(caught.value)
    assert text == text.strip()
    assert text.isprintable()  # one line, that is
    assert KEY not in repr(caught.value)
    return text


# What is sent and what is made of the answer.


def test_the_request_holds_the_conversation_the_pixels_and_the_settings(server: Server) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    messages = [
        Message("system", "Be exact."),
        Message("user", "Look.", (image, flat(9))),
        Message("assistant", "A door."),
        Message("user", "And now?"),
    ]
    reply = make(
        base_url=server.url, seed=3, extra={"reasoning_effort": "low", "nested": {"a": [1, None]}}
    ).reply(messages)
    assert (reply.text, reply.model, reply.input_tokens, reply.output_tokens, reply.cost) == (
        "fine", "served-model", 1000, 20, None,
    )  # fmt: skip
    (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    sent = request.body.pop("messages")
    assert request.body == {
        "model": "asked-model", "temperature": 0.0, "max_completion_tokens": 8192, "seed": 3,
        "reasoning_effort": "low", "nested": {"a": [1, None]},
    }  # fmt: skip
    assert [m["role"] for m in sent] == ["system", "user", "assistant", "user"]
    assert [sent[i]["content"] for i in (0, 2, 3)] == ["Be exact.", "A door.", "And now?"]
    first, second, text = sent[1]["content"]
    assert text == {"type": "text", "text": "Look."}
    np.testing.assert_array_equal(decoded(first), image)
    np.testing.assert_array_equal(decoded(second), flat(9))


def test_what_is_null_is_not_sent_and_the_token_limit_has_the_name_it_is_given(server: Server) -> None:
    ask(server, answer(), temperature=None, max_tokens=77, max_tokens_parameter="max_tokens")
    assert set(server.requests[0].body) == {"model", "messages", "max_tokens"}
    assert server.requests[0].body["max_tokens"] == 77


def test_an_endpoint_without_a_key_never_gets_the_one_of_another(server: Server) -> None:
    ask(server, answer(), api_key_env=None)
    assert KEY not in str(server.requests[0].headers)


def test_the_cost_follows_from_the_prices(server: Server) -> None:
    assert ask(server, answer(), input_price=2.0, output_price=10.0).cost == pytest.approx(0.0022)
    assert ask(server, answer(), input_price=0.0, output_price=0.0).cost == 0
    assert ask(server, answer(), input_price=2.0).cost is None


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": "many"}, {"prompt_tokens": -1}, 7])
def test_missing_usage_is_unknown_and_not_zero(server: Server, usage: Any) -> None:
    reply = ask(server, answer(usage=usage), input_price=1.0, output_price=1.0)
    assert (reply.input_tokens, reply.output_tokens, reply.cost) == (None, None, None)


def test_a_model_that_is_not_named_is_the_one_that_was_asked(server: Server) -> None:
    assert ask(server, answer(model=None)).model == "asked-model"
    assert ask(server, answer(model="")).model == "asked-model"


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ("<think>Hm.\n1. yes</think>\n\nNo.", "No."),
        ("half of a pair: \ud800", "half of a pair: ?"),
        (" é\n", "é"),
    ],
)
def test_a_reply_is_the_answer_alone_and_can_be_written(server: Server, sent: str, text: str) -> None:
    assert ask(server, answer(sent)).text == text


def test_json_is_taken_whatever_it_is_called(server: Server) -> None:
    body = json.dumps(completion()).encode()
    assert ask(server, reply_with(body, content_type="text/plain; charset=nonsense")).text == "fine"
    assert ask(server, reply_with(gzip.compress(body), Content_Encoding="gzip")).text == "fine"


# What is tried again, and how often.

RETRIED = {
    "429": error(429),
    "408": error(408),
    "409": error(409),
    "500": error(500),
    "503, a page": reply_with(b"<h1>Bad gateway</h1>", 503, "text/html"),
    "cut mid-body": cut,
    "no status line": hang_up,
}


@pytest.mark.parametrize("name", RETRIED)
def test_what_passes_is_tried_again(server: Server, name: str, waits: list[float]) -> None:
    assert ask(server, RETRIED[name], RETRIED[name], answer()).text == "fine"
    assert len(server.requests) == 3
    assert 0 < waits[0] <= 0.5 < waits[1] <= 1.0  # exponential, less up to a quarter


@pytest.mark.parametrize("name", RETRIED)
def test_what_stays_ends_after_the_retries(server: Server, name: str, waits: list[float]) -> None:
    text = failure(server, RETRIED[name], max_retries=2)
    assert len(server.requests) == 3
    assert len(waits) == 2
    assert server.url in text
    assert "3 times" in text
    assert name.startswith(tuple("0123456789")) is bool(re.search(r"HTTP \d{3}", text))


@pytest.mark.parametrize("behaviour", [hang, trickle, trickling_body])
def test_a_hang_ends_in_a_timeout_and_is_tried_again(server: Server, behaviour: Behaviour) -> None:
    text = failure(server, behaviour, timeout_seconds=0.2, max_retries=1)
    assert "no answer within vlm.timeout_seconds=0.2, 2 times" in text
    assert ask(server, behaviour, answer(), timeout_seconds=0.5).text == "fine"


def test_the_server_says_how_long_to_wait_within_reason(server: Server, waits: list[float]) -> None:
    assert ask(server, error(429, Retry_After="7"), answer()).text == "fine"
    assert waits == [7.0]
    assert "HTTP 429: no" in failure(server, error(429, Retry_After="86400"))
    assert len(server.requests) == 3  # nobody waits a day
    assert waits == [7.0]


def test_an_endpoint_that_is_not_there(waits: list[float]) -> None:
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(NoReply, match=re.escape(f"{url} cannot be reached, 3 times: ") + ".*refused"):
            make(base_url=url, max_retries=2).reply(HELLO)
    assert len(waits) == 2
    with pytest.raises(NoReply, match="cannot be reached"):
        make(base_url="http://no-such-host.invalid/v1", max_retries=0).reply(HELLO)


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (400, "vlm.temperature"),
        (401, "check the key in OPENAI_API_KEY"),
        (403, "OPENAI_API_KEY"),
        (404, "check vlm.model and vlm.base_url"),
        (413, "too large"),
        (422, "vlm.max_tokens_parameter"),
        (308, "vlm.base_url"),
        (418, ""),
    ],
)
def test_what_will_not_pass_is_not_tried_again(server: Server, status: int, hint: str) -> None:
    text = failure(server, error(status, "because of\nthat", Location="http://127.0.0.1:1/elsewhere"))
    assert text.startswith(f"{server.url} answered HTTP {status}: because of that")
    assert hint in text
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"detail": [{"loc": ["body"], "msg": "field missing"}]}', "HTTP 400: field missing ("),
        (b'[{"error": {"code": 400, "message": "bad picture"}}]', "HTTP 400: bad picture ("),
        (b'{"error": "plain"}', "HTTP 400: plain ("),
        (b'{"error": {"code": 7}}', "HTTP 400: {'code': 7} ("),
        (b"[" * 10**5, "HTTP 400: [[["),
        (b"<html>\x00\xff\x1b[31m</html>", "HTTP 400: <html>"),
        (b"", "HTTP 400: an empty body ("),
    ],
)
def test_the_servers_reason_is_found_wherever_it_is_put(server: Server, body: bytes, words: str) -> None:
    text = failure(server, reply_with(body, 400))
    assert words in text
    assert len(text) < 500


# Answers that are none.

NONSENSE = {
    "garbage": (reply_with(b'{"choices": [{'), 'no JSON object: {"choices": [{'),
    "binary": (reply_with(bytes(range(256))), "no JSON object"),
    "empty": (reply_with(b""), "an empty body"),
    "page": (
        reply_with(b"<html>\nLog in</html>", content_type="text/html"),
        "text/html, which holds no JSON",
    ),
    "bad charset": (reply_with(b"<p>", content_type="text/html; charset=zzz"), "no JSON object: <p>"),
    "deep": (reply_with(b"[" * 10**6), "no JSON object: [[["),
    "list": (reply_with(b"[1]"), "no JSON object: [1]"),
    "long number": (reply_with(b'{"choices": ' + b"9" * 10**4 + b"}"), "no JSON object"),
    "no choices": (reply_with(b'{"object": "x"}'), 'without choices[0].message: {"object": "x"}'),
    "an error with status 200": (reply_with(b'{"error": {"message": "overloaded"}}'), "overloaded"),
    "empty choices": (reply_with(b'{"choices": []}'), "without choices[0].message"),
    "choices of another kind": (reply_with(b'{"choices": {"0": 1}}'), "without choices[0].message"),
    "no message": (reply_with(b'{"choices": [{}]}'), "without choices[0].message"),
    "null message": (reply_with(b'{"choices": [{"message": null}]}'), "without choices[0].message"),
    "no content": (reply_with(b'{"choices": [{"message": {}}]}'), "without text"),
    "null content": (answer(None), "without text in choices[0].message.content"),
    "blank content": (answer(" \n"), "without text"),
    "thoughts alone": (answer("<think>Hm.</think>"), "without text"),
    "content of another kind": (answer(["fine"]), "without text"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_one_clear_line_and_not_tried_again(server: Server, name: str) -> None:
    behaviour, words = NONSENSE[name]
    text = failure(server, behaviour)
    assert words in text
    assert text.startswith(f"{server.url} answered ")
    assert len(text) < 300
    assert len(server.requests) == 1


def test_a_reply_without_end_is_not_swallowed(server: Server) -> None:
    assert "more than 8,388,608 bytes" in failure(server, flood(50 * 2**20))
    assert server.written < 50 * 2**20  # the connection was closed long before
    bomb = gzip.compress(b"a" * 2**25)
    assert "more than 8,388,608 bytes" in failure(server, reply_with(bomb, Content_Encoding="gzip"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"message": {"content": None, "refusal": "I cannot\nhelp."}}, "refused to answer: I cannot help."),
        ({"finish_reason": "content_filter"}, "refused to answer: fine"),
        ({"message": {"content": None}, "finish_reason": "content_filter"}, "without a word"),
    ],
)
def test_a_refusal(server: Server, changes: dict[str, Any], words: str) -> None:
    assert words in failure(server, answer(**changes), kind=Refused)


@pytest.mark.parametrize("text", ["half an ans", None, ""])
def test_a_cut_reply_names_the_limit(server: Server, text: str | None) -> None:
    cut_off = failure(server, answer(text, finish_reason="length"), kind=Truncated, max_tokens=50)
    assert "vlm.max_tokens=50" in cut_off
