"""Which hostile programs screening refuses, and what becomes of those that it lets through.

Screening is not what contains a program. So that nobody relies on more than it does, the attacks that pass it
are listed here by name: a change of screening must change this list.
"""

from __future__ import annotations

import numpy as np
import pytest

from vlmcar.program.audit import Judged, replay
from vlmcar.program.errors import ProgramError
from vlmcar.program.screening import screen

from .attacks import behaviour, purity
from .attacks.attack import Attack
from .attacks.world import world
from .helpers import SHAPE, grey, sandbox
from .test_attacks import ATTACKS, names

MEMORY = "takes too much memory, as honest code may by mistake: the limit holds it"
TIME = "takes too long, as honest code may by mistake: the deadline holds it"
ANSWER = "breaks the contract of answers, which only running it shows"
ERROR = "fails, which only running it shows"
BOUNDS = "leaves its arrays: np.lib.stride_tricks checks nothing; the process is all that it can reach"
AUDIT = "remembers or guesses in a way that names do not show: the audit finds it"

THROUGH = {
    MEMORY: """
        memory_of_numpy memory_of_a_product memory_of_a_padded_frame memory_of_a_tiled_frame
        memory_of_a_resized_frame memory_of_a_border memory_of_a_decoded_image memory_of_bytes memory_of_a_text
        memory_of_a_formatted_number memory_of_a_number memory_of_a_growing_list memory_of_a_list
        memory_of_a_dictionary memory_of_a_text_that_doubles
    """,
    TIME: """
        loop loop_over_a_sentinel endless_sum huge_power huge_sort membership loop_that_catches_everything
        blur_of_much product_of_much string_of_a_number
    """,
    ANSWER: """
        integer nothing not_a_number infinite more_than_all less_than_nothing an_array an_array_of_one complex
        wide_number
    """,
    ERROR: """
        recursion exit_by_exception interrupt end_of_a_generator huge_text terminal_escapes error_of_many
        print_that_never_ends
    """,
    BOUNDS: "memory_out_of_bounds memory_out_of_bounds_to_write",
    AUDIT: " ".join(attack.name for attack in purity.NOT_SCREENED),
}
LET_THROUGH = {name: reason for reason, names_of_some in THROUGH.items() for name in names_of_some.split()}
"""Attack -> why screening does not refuse it."""

EVERYTHING = (*ATTACKS, *behaviour.BEHAVIOURS, *behaviour.ORPHANS, *purity.IMPURE, *purity.DATES)


def test_what_screening_lets_through_is_known() -> None:
    with world() as place:
        constants = place.constants()
    programs = {attack.name: attack.program(constants) for attack in EVERYTHING}
    through = {name for name, program in programs.items() if not screen(program.source, program.subtasks)}
    assert through == LET_THROUGH.keys()


@pytest.mark.parametrize("attack", purity.IMPURE, ids=names)
def test_what_remembers_is_found_by_the_audit_at_least(
    attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where screening would have refused it: one of both may have a gap."""
    monkeypatch.setattr("vlmcar.program.sandbox.screen", lambda *_: ())
    program, frames = attack.program({}), [grey(level) for level in range(0, 240, 10)]
    worker = sandbox(batch=4).start(program, SHAPE)
    try:
        judged = [Judged(grey(0)[0], frame[0], worker.run(grey(0), frame)[0]) for frame in frames]
    except ProgramError as error:
        pytest.fail(f"it does not even work: {error}")
    finally:
        worker.close()
    assert not replay(program, sandbox(), judged, np.random.default_rng(1)).all()
