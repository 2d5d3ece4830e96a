"""The cache and the ledger around every backend: what is kept, what never is, and what is booked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import flat
from vlmcar.types import Decisions, Frame, Message, NoReply, Refused, Reply, Truncated
from vlmcar.vlm.cache import Cache
from vlmcar.vlm.counted import CountedVLM
from vlmcar.vlm.ledger import Ledger, Usage, money, spent_text


class Backend:
    """Answers with a number that goes up, so that a kept answer can be told from a new one."""

    name = "backend"
    record = False

    def __init__(self, cache: bool = True, model: str = "m", fails: Exception | None = None) -> None:
        self.cache = cache
        self.model = model
        self.fails = fails
        self.calls = 0
        self.decided: list[int] = []

    def identity(self, images: Sequence[Frame]) -> dict[str, Any]:
        return {"vlm": self.name, "model": self.model}

    def decision_identity(self) -> dict[str, Any]:
        return self.identity([])

    def reply(self, messages: Sequence[Message]) -> Reply:
        self.calls += 1
        if self.fails:
            raise self.fails
        return Reply(f"answer {self.calls}", self.model, 2.0, input_tokens=100, output_tokens=10, cost=0.25)

    def decide(self, views: Sequence[tuple[Frame, ...]], questions: Sequence[str]) -> Decisions:
        self.decided.append(len(views))
        if self.fails:
            raise self.fails
        # A bright last picture: yes. A picture of value 99: neither.
        means = [float(view[-1].mean()) for view in views]
        rows = [[np.nan if mean == 99 else mean / 255] * len(questions) for mean in means]
        return Decisions(
            np.array(rows), self.model, len(views), 1.0 * len(views), 10 * len(views), len(views), 0.5
        )


ASKED = [Message("system", "s"), Message("user", "u", (flat(1),))]


def test_an_equal_request_is_answered_from_the_cache_and_booked_as_saved(tmp_path: Path) -> None:
    backend, ledger = Backend(), Ledger()
    vlm = CountedVLM(backend, tmp_path, ledger)
    first, again = vlm.reply(ASKED), vlm.reply(ASKED)
    assert (first.text, again, backend.calls) == ("answer 1", first, 1)
    usage = {"calls": 1, "answers": 1, "unclear": 0, "refused": 0, "truncated": 0, "failed": 0}
    usage |= {"input_tokens": 100, "output_tokens": 10, "seconds": 2.0, "cost": 0.25}
    assert ledger.entries() == {"program": {"asked": usage, "cached": usage}}


@pytest.mark.parametrize(
    "other",
    [
        [Message("system", "S"), ASKED[1]],
        [ASKED[0], Message("user", "u2", (flat(1),))],
        [ASKED[0], Message("user", "u", (flat(2),))],
        [ASKED[0], Message("user", "u")],
        [ASKED[0], Message("user", "u", (flat(1), flat(1)))],
        [Message("user", "s"), ASKED[1]],
    ],
)
def test_whatever_changes_the_request_asks_anew(tmp_path: Path, other: list[Message]) -> None:
    backend = Backend()
    vlm = CountedVLM(backend, tmp_path, Ledger())
    vlm.reply(ASKED)
    vlm.reply(other)
    assert backend.calls == 2


def test_another_identity_asks_anew_and_another_session_does_not(tmp_path: Path) -> None:
    CountedVLM(Backend(), tmp_path, Ledger()).reply(ASKED)
    same, other = Backend(), Backend(model="m2")
    CountedVLM(same, tmp_path, Ledger()).reply(ASKED)
    CountedVLM(other, tmp_path, Ledger()).reply(ASKED)
    assert (same.calls, other.calls) == (0, 1)


def test_without_a_cache_nothing_is_kept(tmp_path: Path) -> None:
    backend = Backend(cache=False)
    vlm = CountedVLM(backend, tmp_path, Ledger())
    assert [vlm.reply(ASKED).text, vlm.reply(ASKED).text] == ["answer 1", "answer 2"]
    vlm.decide([(flat(255),)], ["?"])
    vlm.decide([(flat(255),)], ["?"])
    assert backend.decided == [1, 1]
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize(
    ("error", "kind"),
    [(Refused("no"), "refused"), (Truncated("cut"), "truncated"), (NoReply("away"), "failed")],
)
def test_refusals_and_errors_are_told_apart_and_never_kept(tmp_path: Path, error: NoReply, kind: str) -> None:
    ledger = Ledger()
    for method, arguments in (("reply", (ASKED,)), ("decide", ([(flat(0),)], ["?"]))):
        for _ in range(2):
            with pytest.raises(type(error)):
                getattr(CountedVLM(Backend(fails=error), tmp_path, ledger), method)(*arguments)
    assert not list(tmp_path.rglob("*.json"))
    for purpose in ("program", "decisions"):
        usage = ledger.usage(purpose, "asked")
        assert (usage.calls, usage.answers) == (2, 0)
        told = {name: getattr(usage, name) for name in ("refused", "truncated", "failed")}
        assert told == {"refused": 0, "truncated": 0, "failed": 0, kind: 2}


def test_what_a_failed_call_took_is_booked_where_it_is_known(tmp_path: Path) -> None:
    error, ledger = Truncated("cut"), Ledger()
    error.spent = Reply("", "m", 3.0, input_tokens=10, output_tokens=8192, cost=0.5)
    with pytest.raises(Truncated):
        CountedVLM(Backend(fails=error), tmp_path, ledger).reply(ASKED)
    usage = ledger.usage("program", "asked")
    assert (usage.truncated, usage.output_tokens, usage.cost) == (1, 8192, 0.5)


def test_answers_that_came_before_a_failure_are_kept_and_booked(tmp_path: Path) -> None:
    error, ledger = NoReply("away"), Ledger()
    error.spent = Decisions(np.array([[1.0], [np.nan]]), "m", 1, 2.0, 10, 1, 0.5)
    with pytest.raises(NoReply):
        CountedVLM(Backend(fails=error), tmp_path, ledger).decide([(flat(1),), (flat(2),)], ["?"])
    usage = ledger.usage("decisions", "asked")
    assert (usage.calls, usage.answers, usage.failed, usage.cost) == (2, 1, 1, 0.5)
    backend = Backend()
    CountedVLM(backend, tmp_path, ledger).decide([(flat(1),), (flat(2),)], ["?"])
    assert backend.decided == [1]


def test_parallel_runs_ask_once(tmp_path: Path) -> None:
    backend = Backend()
    with ThreadPoolExecutor(4) as pool:
        vlms = [CountedVLM(backend, tmp_path, Ledger()) for _ in range(8)]
        texts = {reply.text for reply in pool.map(lambda vlm: vlm.reply(ASKED), vlms)}
    assert (texts, backend.calls) == ({"answer 1"}, 1)


def test_only_new_views_are_decided_and_unclear_ones_are_asked_again(tmp_path: Path) -> None:
    backend, ledger = Backend(), Ledger()
    vlm = CountedVLM(backend, tmp_path, ledger)
    dark, unclear, bright = (flat(0),), (flat(99),), (flat(255),)
    first = vlm.decide([dark, unclear], ["a?", "b?"]).probabilities
    second = vlm.decide([bright, dark, unclear], ["a?", "b?"]).probabilities
    np.testing.assert_array_equal(first, [[0, 0], [np.nan, np.nan]])
    np.testing.assert_array_equal(second, [[1, 1], [0, 0], [np.nan, np.nan]])
    assert backend.decided == [2, 2]  # the second time: bright and unclear
    asked, cached = ledger.usage("decisions", "asked"), ledger.usage("decisions", "cached")
    assert (asked.calls, asked.answers, asked.unclear) == (4, 8, 4)
    assert (cached.calls, cached.answers, cached.unclear) == (1, 2, 0)
    assert (cached.cost, cached.seconds, cached.input_tokens) == (0.25, 1.0, 10)  # one view's share
    vlm.decide([dark], ["b?", "a?"])  # other words, other answers
    vlm.decide([(flat(0), flat(0))], ["a?", "b?"])
    assert backend.decided == [2, 2, 1, 1]


def test_files_can_be_read_and_a_broken_one_is_asked_again(tmp_path: Path) -> None:
    backend = Backend()
    vlm = CountedVLM(backend, tmp_path, Ledger())
    vlm.reply(ASKED)
    (path,) = (tmp_path / "vlm_cache/backend").rglob("*.json")
    entry = json.loads(path.read_text())
    assert entry["answer"]["text"] == "answer 1"
    assert [message["text"] for message in entry["request"]["messages"]] == ["s", "u"]
    path.write_text(path.read_text()[:40])
    assert vlm.reply(ASKED).text == "answer 2"
    assert vlm.reply(ASKED).text == "answer 2"
    assert not list(tmp_path.rglob("*.partial"))


def test_parallel_jobs_leave_whole_files_and_the_first_answer_stays(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(lambda n: Cache(tmp_path).put({"q": n % 4}, {"a": "x" * 10_000, "n": n % 4}), range(64))
        )
    assert [cache.get({"q": n})["n"] for n in range(4)] == [0, 1, 2, 3]  # type: ignore[index]
    cache.put({"q": 0}, {"a": "later"})
    assert cache.get({"q": 0})["n"] == 0  # type: ignore[index]


def test_unknown_stays_unknown_in_sums() -> None:
    ledger = Ledger()
    ledger.add("program", "asked", Usage(calls=1, input_tokens=5, output_tokens=5, cost=None))
    ledger.add("program", "asked", Usage(calls=1, input_tokens=7, output_tokens=None, cost=0.5))
    usage = ledger.usage("program", "asked")
    assert (usage.calls, usage.input_tokens, usage.output_tokens, usage.cost) == (2, 12, None, None)
    merged = Ledger(ledger.entries()).merged(ledger).usage("program", "asked")
    assert (merged.calls, merged.input_tokens, merged.cost) == (4, 24, None)
    with pytest.raises(AssertionError):
        ledger.add("fun", "asked", Usage())


def test_sums_are_said_in_words() -> None:
    usage = Usage(calls=1, failed=2, input_tokens=12_345, output_tokens=6, seconds=41.7, cost=0.0123)
    assert spent_text(usage) == "1 call, 12,345 tokens in, 6 out, 2 failed, 42 s, $0.0123"
    usage = Usage(calls=4, unclear=12, truncated=4, input_tokens=None, cost=None)
    assert spent_text(usage) == "4 calls, 12 answers neither yes nor no, 4 cut off, 0 s, price unknown"
    assert spent_text(Usage(calls=2, input_tokens=None, cost=None)) == "2 calls, 0 s, price unknown"
    assert [money(0.0), money(12.345)] == ["$0.00", "$12.35"] or money(12.345) == "$12.34"
