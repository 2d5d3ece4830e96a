"""The searches: who is asked what, with what in sight, for how much; which program is kept, and where the rest lies."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import flat
from tests.generation.test_generate import COMMON, ROOM, SUBTASKS, accepts, generate, program
from tests.vlm.test_conversation import Scripted
from vlmcar.generation.budget import BudgetSpent, GenerationFailed
from vlmcar.generation.search import BestOfN, Evolve, Repair, Single
from vlmcar.generation.turns import renumbered
from vlmcar.types import Check, Message, NoReply, Program, Refused, Reply, Truncated, Verdict
from vlmcar.verification.rank import rank
from vlmcar.verification.store import load as load_program
from vlmcar.vlm.conversation import digest, load
from vlmcar.vlm.counted import CountedVLM
from vlmcar.vlm.ledger import Ledger


def single(**changes: Any) -> Single:
    return Single(**{**COMMON, "name": "single", **changes})


def repair(attempts: int = 3, **changes: Any) -> Repair:
    return Repair(**{**COMMON, "name": "repair", "program_attempts": attempts, **changes})


def best_of(n: int, **changes: Any) -> BestOfN:
    return BestOfN(**{**COMMON, "name": "best_of_n", "n": n, **changes})


def evolve(population: int, parents: int, attempts: int, **changes: Any) -> Evolve:
    sizes = {"population": population, "parents": parents, "program_attempts": attempts}
    return Evolve(**{**COMMON, "name": "evolve", **sizes, **changes})


def scores(**measured: float) -> Callable[[Program], Verdict]:
    """Programs by the value that they return (``v3``: 0.3); 1 is accepted, and what is above, robustly so."""

    def verify(candidate: Program) -> Verdict:
        (value,) = [v for name, v in measured.items() if f"return 0.{name[1:]}\n" in candidate.source]
        rows = (
            Check("expert_completes", None, "feedback/expert", 10, min(value, 1.0), ">= 1", value >= 1),
            Check("robust", None, "feedback/noise", 10, max(value - 1, 0.0), "reported", True),
        )
        if value >= 1:
            return Verdict(True, rows)
        shown = (flat(round(100 * value)), flat(round(100 * value) + 1))
        return Verdict(False, rows, f"scored {value} (picture 1 is frame 0, picture 2 is frame 7).", shown)

    return verify


def last_texts(vlm: Scripted) -> list[str]:
    return [messages[-1].text for messages in vlm.seen]


def test_single_keeps_its_one_program_whatever_it_is(tmp_path: Path) -> None:
    vlm = Scripted(ROOM, SUBTASKS, program("0.2"), "never asked")
    made = generate(vlm, tmp_path, search=single())
    assert (made.verdict.accepted, made.attempts, len(made.replies)) == (False, 1, 3)
    assert made.ended == "try another vlm=, or generation=repair"
    assert generate(Scripted(ROOM, SUBTASKS, program("True")), tmp_path, search=single()).verdict.accepted


SEARCHES = [single(), repair(), best_of(3), evolve(2, 2, 4)]


def test_the_first_candidate_is_asked_for_in_the_same_words_by_all(tmp_path: Path) -> None:
    asked = []
    for search in SEARCHES:
        vlm = Scripted(ROOM, SUBTASKS, *[program("0.5")] * 6)
        generate(vlm, tmp_path / search.name, scores(v5=0.5), search=search)
        asked.append([digest(messages) for messages in vlm.seen[:3]])
    assert all(one == asked[0] for one in asked)


# best_of_n


def test_best_of_n_takes_the_accepted_program_with_the_best_rank_not_the_first(tmp_path: Path) -> None:
    vlm = Scripted(ROOM, SUBTASKS, *(program(f"0.{n}") for n in (1, 2, 3, 4)))
    made = generate(vlm, tmp_path, scores(v1=0.3, v2=1.2, v3=1.7, v4=1.5), search=best_of(4))
    assert "return 0.3" in made.program.source
    assert (made.verdict.accepted, made.attempts, len(made.replies)) == (True, 4, 6)


def test_of_equals_the_first_is_taken_and_of_rejected_ones_the_best(tmp_path: Path) -> None:
    def best(**measured: float) -> str:
        vlm = Scripted(ROOM, SUBTASKS, *(program(f"0.{n}") for n in (1, 2, 3)))
        return generate(vlm, tmp_path, scores(**measured), search=best_of(3)).program.source

    assert "return 0.1" in best(v1=1.5, v2=1.5, v3=1.5)
    assert "return 0.2" in best(v1=0.1, v2=0.6, v3=0.6)


def test_candidates_are_independent_and_differ_by_what_they_are_told(tmp_path: Path) -> None:
    vlm = Scripted(ROOM, SUBTASKS, *(program(f"0.{n}") for n in (1, 2, 3)))
    generate(vlm, tmp_path, scores(v1=0.1, v2=0.2, v3=0.3), search=best_of(3))
    assert [len(messages) for messages in vlm.seen] == [2, 4, 6, 6, 6]
    first, second, third = last_texts(vlm)[2:]
    assert second.startswith(first)
    assert "program 2 of 3" in second
    assert third == second.replace("program 2 of 3", "program 3 of 3")
    assert [message.text for message in vlm.seen[4][:5]] == [message.text for message in vlm.seen[2][:5]]


def test_every_candidate_is_kept_with_its_conversation_and_the_best_lies_at_the_usual_place(
    tmp_path: Path,
) -> None:
    (tmp_path / "candidates/9").mkdir(parents=True)  # of an earlier search
    vlm = Scripted(ROOM, SUBTASKS, *(program(f"0.{n}") for n in (1, 2, 3)))
    made = generate(vlm, tmp_path, scores(v1=0.4, v2=1.2, v3=1.1), search=best_of(3))
    assert sorted(path.name for path in (tmp_path / "candidates").iterdir()) == ["1", "2", "3"]
    for number in (1, 2, 3):
        folder = tmp_path / "candidates" / str(number)
        stored = load_program(folder)
        assert f"return 0.{number}" in stored.program.source
        assert (stored.attempts, stored.vlm_calls, stored.vlm_model) == (number, 3, "scripted")
        assert stored.verdict.accepted == (number > 1)
        messages = load(folder)[0]
        assert messages[-1].text == program(f"0.{number}")
        assert digest(messages[:5]) == digest(vlm.seen[2][:5])
    assert json.loads((tmp_path / "candidates/1/verdict.json").read_text())["feedback"].startswith("scored")
    assert digest(load(tmp_path)[0]) == digest(load(tmp_path / "candidates/2")[0])
    assert load(tmp_path)[1] == made.conversation.replies
    assert not (tmp_path / "verdict.json").exists()  # whose presence says that the entry is complete


def test_one_conversation_has_no_candidates(tmp_path: Path) -> None:
    generate(Scripted(ROOM, SUBTASKS, program("False"), program("True")), tmp_path)
    assert not (tmp_path / "candidates").exists()


@pytest.mark.parametrize("trouble", [Refused("no"), Truncated("too long"), "no program", NoReply("away")])
def test_a_candidate_without_a_program_stops_nothing_unless_nobody_answers(
    tmp_path: Path, trouble: Any
) -> None:
    class Troubled(Scripted):
        def reply(self, messages: Sequence[Message]) -> Reply:
            if "program 2 of 3" in messages[-1].text and isinstance(trouble, Exception):
                raise trouble
            return super().reply(messages)

    failing = [] if isinstance(trouble, Exception) else [trouble, trouble]
    vlm = Troubled(ROOM, SUBTASKS, program("0.1"), *failing, program("0.3"))
    if type(trouble) is NoReply:
        with pytest.raises(NoReply):
            generate(vlm, tmp_path, scores(v1=0.1, v3=0.3), search=best_of(3))
        return
    made = generate(vlm, tmp_path, scores(v1=0.1, v3=0.3), search=best_of(3))
    assert "return 0.3" in made.program.source
    assert made.attempts == 2
    assert len(made.replies) == 4 + len(failing)
    assert load(tmp_path / "candidates/2")[0][-1].role == ("assistant" if failing else "user")


def test_none_of_n_is_an_error_that_says_why(tmp_path: Path) -> None:
    vlm = Scripted(ROOM, SUBTASKS, *["no program"] * 4)
    with pytest.raises(GenerationFailed, match="none of 2 programs.*no fenced block marked `python`"):
        generate(vlm, tmp_path, search=best_of(2))


# evolve


def test_evolve_combines_the_best_and_changes_one_at_a_time_with_their_failures_in_sight(
    tmp_path: Path,
) -> None:
    vlm = Scripted(ROOM, SUBTASKS, *(program(f"0.{n}") for n in range(1, 7)), "never asked")
    verify = scores(v1=0.2, v2=0.6, v3=0.4, v4=0.5, v5=0.1, v6=1.1)
    made = generate(vlm, tmp_path, verify, search=evolve(3, 2, 9))
    assert "return 0.6" in made.program.source
    assert (made.attempts, len(made.replies), vlm.answers) == (6, 8, ["never asked"])
    assert all(len(messages) == 6 for messages in vlm.seen[2:])  # each in a conversation of its own
    first, second, third, fourth, fifth, sixth = last_texts(vlm)[2:]
    assert "program 2 of 9" in second
    assert "program 3 of 9" in third

    # The fourth combines the best two, the better one first, and its pictures go on from the first one's.
    assert fourth.startswith(first)
    assert fourth.index("## Program 2\n") < fourth.index("return 0.2\n") < fourth.index("## Program 3\n")
    assert "return 0.1\n" not in fourth
    assert "scored 0.6 (picture 1 is frame 0, picture 2 is frame 7)" in fourth
    assert "scored 0.4 (picture 3 is frame 0, picture 4 is frame 7)" in fourth
    assert "Yours is program 4. Combine" in fourth
    assert [image.max() for image in vlm.seen[5][-1].images] == [60, 61, 40, 41]

    # The fifth changes the best one, and the sixth combines again, the fourth among them.
    assert "Yours is program 5. Change" in fifth
    assert ("return 0.2\n" in fifth, "return 0.3\n" in fifth) == (True, False)
    assert [image.max() for image in vlm.seen[6][-1].images] == [60, 61]
    assert "return 0.2\n" in sixth
    assert "return 0.4\n" in sixth


def test_evolve_goes_through_the_population_where_nothing_gets_better(tmp_path: Path) -> None:
    vlm = Scripted(ROOM, SUBTASKS, program("0.1"), program("0.2"), *[program("0.3")] * 6)
    made = generate(vlm, tmp_path, scores(v1=0.5, v2=0.4, v3=0.1), search=evolve(2, 2, 8))
    assert "return 0.1" in made.program.source
    assert made.ended == "try another vlm=, or more generation.program_attempts"
    changed = [text for text in last_texts(vlm) if "Change the one above" in text]
    assert ["return 0.1\n" in text for text in changed] == [True, False, True]
    assert ["return 0.2\n" in text for text in changed] == [False, True, False]
    texts = last_texts(vlm)
    assert len(set(texts)) == len(texts)  # equal requests might get equal answers


def test_a_program_that_was_written_twice_is_no_second_parent(tmp_path: Path) -> None:
    vlm = Scripted(ROOM, SUBTASKS, program("0.1"), program("0.1"), program("0.2"))
    generate(vlm, tmp_path, scores(v1=0.5, v2=0.4), search=evolve(2, 2, 3))
    assert "Yours is program 3. Change" in last_texts(vlm)[-1]


def test_evolve_may_replace_sub_tasks_and_goes_on_from_the_best_ones(tmp_path: Path) -> None:
    door = '```json\n[{"name": "open_door", "description": "The door is open."}]\n```\n'
    replaced = door + program("0.2").replace("get_key", "open_door")
    vlm = Scripted(ROOM, SUBTASKS, program("0.1"), replaced, program("0.3").replace("get_key", "open_door"))
    made = generate(vlm, tmp_path, scores(v1=0.3, v2=0.5, v3=1.0), search=evolve(1, 1, 3))
    assert "1. `open_door`: The door is open." in last_texts(vlm)[-1]
    assert [subtask.name for subtask in made.program.subtasks] == ["open_door"]


def test_small_frames_are_shown_enlarged_and_stand_before_the_parents(tmp_path: Path) -> None:
    def verify(candidate: Program) -> Verdict:
        row = Check("expert_completes", None, "feedback/expert", 10, 0.5, ">= 1", False)
        return Verdict(False, (row,), "wrong (picture 1 is frame 0)", (flat(8, 2, 2),))

    vlm = Scripted(ROOM, SUBTASKS, program("0.1"), program("0.2"))
    generate(vlm, tmp_path, verify, (flat(3, 2, 2), flat(4, 2, 2)), evolve(1, 1, 2))
    asked = vlm.seen[-1][-1]
    assert [image.shape for image in asked.images] == [(4, 4, 3)] * 3
    assert [image.max() for image in asked.images] == [3, 4, 8]
    assert "picture 1 and picture 2 once more" in asked.text
    assert "wrong (picture 3 is frame 0)" in asked.text
    assert "Frame numbers count steps" in asked.text


def test_pictures_are_counted_on() -> None:
    text = "Picture 1 was (picture 1 is frame 0, picture 12 is frame 7). 3 pictures, frame 2."
    assert (
        renumbered(text, 5)
        == "Picture 6 was (picture 6 is frame 0, picture 17 is frame 7). 3 pictures, frame 2."
    )


# Budgets


@pytest.mark.parametrize("source", ["vlm", "cache"])
@pytest.mark.parametrize(("calls", "programs"), [(3, 1), (4, 2), (5, 3), (9, 4)])
def test_a_budget_in_calls_stops_the_search_and_the_best_so_far_is_kept(
    tmp_path: Path, calls: int, programs: int, source: str
) -> None:
    """Kept answers count as the VLM's own: the same limit ends the same search at the same turn."""
    vlm = Scripted(ROOM, SUBTASKS, *(program(f"0.{n}") for n in (1, 2, 3, 4)))
    vlm.cache = True
    verify = scores(v1=0.3, v2=0.2, v3=0.1, v4=0.4)
    search = best_of(4, max_calls=calls)
    made = generate(vlm, tmp_path, verify, search=search)
    if source == "cache":
        made, left = generate(vlm, tmp_path, verify, search=search), len(vlm.answers)
        assert left == 4 - programs
    assert made.attempts == programs == len(made.replies) - 2
    assert f"return 0.{4 if programs == 4 else 1}" in made.program.source
    if programs < 4:
        said = f"{calls} kept answers" if source == "cache" else f"({calls} calls, "
        assert made.ended.startswith(f"generation.max_calls={calls} is spent (")
        assert said in made.ended
        assert made.ended.endswith("raise it to go on")


@pytest.mark.parametrize("search", [single, repair])
def test_a_reply_that_cannot_be_read_counts_too(tmp_path: Path, search: Callable[..., Any]) -> None:
    vlm = Scripted(ROOM, "no list", SUBTASKS, program("True"))
    with pytest.raises(
        BudgetSpent, match=r"max_calls=3 is spent \(3 calls.*\$1.50\).*no program was verified"
    ):
        generate(vlm, tmp_path, search=search(max_calls=3))
    assert len(vlm.answers) == 1


def test_a_budget_that_ends_within_a_candidate_keeps_the_ones_before(tmp_path: Path) -> None:
    vlm = Scripted(ROOM, SUBTASKS, program("0.1"), "no program", program("0.2"))
    made = generate(vlm, tmp_path, scores(v1=1.0), search=best_of(3, max_calls=4))
    assert (made.verdict.accepted, made.attempts, len(made.replies)) == (True, 1, 4)
    assert len(vlm.answers) == 1


@pytest.mark.parametrize(("dollars", "asked"), [(1.5, 3), (1.6, 4), (2.0, 4), (2.1, 5)])
def test_a_budget_in_dollars_is_exceeded_by_one_call_at_most(
    tmp_path: Path, dollars: float, asked: int
) -> None:
    """Half a dollar a call."""
    vlm = Scripted(ROOM, SUBTASKS, *[program("0.1")] * 5)
    made = generate(vlm, tmp_path, scores(v1=0.3), search=repair(9, max_dollars=dollars))
    assert len(vlm.seen) == asked
    assert made.ended.startswith(f"generation.max_dollars={dollars:g} is spent ({asked} calls")


def test_kept_answers_cost_nothing_and_the_search_goes_on_where_the_money_ended(tmp_path: Path) -> None:
    vlm = Scripted(ROOM, SUBTASKS, *(program(f"0.{n}") for n in (1, 2, 3, 4)))
    vlm.cache = True
    verify = scores(v1=0.1, v2=0.2, v3=0.3, v4=0.4)
    made = generate(vlm, tmp_path, verify, search=best_of(4, max_dollars=1.5))
    assert (made.attempts, len(vlm.seen)) == (1, 3)
    made = generate(vlm, tmp_path, verify, search=best_of(4, max_dollars=1.5))
    assert (made.attempts, len(vlm.seen)) == (4, 6)


def test_money_that_nobody_knows_stops_the_search(tmp_path: Path) -> None:
    class Silent(Scripted):
        def reply(self, messages: Sequence[Message]) -> Reply:
            return Reply(super().reply(messages).text, "scripted")

    vlm = Silent(ROOM, SUBTASKS)
    with pytest.raises(BudgetSpent, match=r"max_dollars=5 cannot be kept.*price unknown"):
        generate(vlm, tmp_path, search=single(max_dollars=5.0))
    assert len(vlm.seen) == 1


# Going on after a kill


@pytest.mark.parametrize("search", [best_of(4), evolve(2, 2, 4)], ids=lambda search: search.name)
def test_a_killed_search_asks_nothing_twice(tmp_path: Path, search: Any) -> None:
    answers = [ROOM, SUBTASKS, *(program(f"0.{n}") for n in (1, 2, 3, 4))]
    verify = scores(v1=0.1, v2=0.4, v3=0.3, v4=0.35)

    class Killed(Scripted):
        def reply(self, messages: Sequence[Message]) -> Reply:
            if len(self.seen) == 4:
                raise KeyboardInterrupt
            return super().reply(messages)

    vlm: Scripted = Killed(*answers)
    vlm.cache = True
    with pytest.raises(KeyboardInterrupt):
        generate(vlm, tmp_path, verify, search=search)
    assert load(tmp_path / "candidates/3")[0][-1].role == "user"
    resumed = Scripted(*vlm.answers)
    resumed.cache = True
    made = generate(resumed, tmp_path, verify, search=search)
    assert (len(resumed.seen), resumed.answers, made.attempts) == (2, [], 4)

    undisturbed = Scripted(*answers)
    same = generate(undisturbed, tmp_path / "undisturbed", verify, search=search)
    assert (same.program, same.verdict.checks) == (made.program, made.verdict.checks)
    for number in (1, 2, 3, 4):
        one, two = (
            load(folder / "candidates" / str(number))[0] for folder in (tmp_path, tmp_path / "undisturbed")
        )
        assert digest(one) == digest(two)


def test_all_conversations_are_booked_in_one_ledger(tmp_path: Path) -> None:
    backend, ledger = Scripted(ROOM, SUBTASKS, *[program("0.1")] * 3), Ledger()
    made = best_of(3).generate(
        *((flat(1), flat(2)),) * 2,
        CountedVLM(backend, tmp_path, ledger),
        accepts(),
        rank,
        tmp_path,
        lambda _: None,
    )
    assert (ledger.usage("program", "asked").calls, len(made.replies)) == (5, 5)
    np.testing.assert_array_equal(load(tmp_path)[0][1].images[0], flat(1))
