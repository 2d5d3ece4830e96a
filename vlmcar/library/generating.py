"""Generation for any environment: from pictures and episodes to an accepted program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmcar.library.defaults import default
from vlmcar.library.paying import reward_of
from vlmcar.library.programs import sized
from vlmcar.library.verifying import verification_for
from vlmcar.obtain import obtain_program
from vlmcar.outside import explained_errors
from vlmcar.program.sandbox import Sandbox
from vlmcar.record.console import Console
from vlmcar.types import VLM, ConfigError, Task
from vlmcar.verification.store import StoredProgram


@dataclass(frozen=True)
class _Wanted:
    """A `vlmcar.obtain.Wanted`."""

    env: Task
    vlm: VLM
    generation: Any
    sandbox: Any
    verification: Any
    reward: Any
    method: Any
    results: str
    overwrite: bool = False


class _Told(Console):
    """Says its lines to whoever asked."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__("", bar=False)
        self._say = say

    def say(self, text: str) -> None:
        self._say(text)


def generate(
    task: Task,
    vlm: VLM | str = "openai",
    *,
    folder: str | Path = "results",
    generation: str = "repair",
    reward: Any = "bonus",
    env_reward: float = 0.0,
    sandbox: Sandbox | None = None,
    settings: Mapping[str, Any] | None = None,
    say: Callable[[str], None] = print,
    **vlm_settings: Any,
) -> StoredProgram:
    """Ask a VLM for a program, verify it, and send failures back until one is accepted.

    The same call again gives what was accepted before, without asking: programs are kept per task, episodes, VLM,
    prompts and settings, as the command does it.

    Args:
        task: a `GivenTask` of pictures and episodes, or any ``Task``.
        vlm: a file of ``conf/vlm``, or an object with ``reply`` and ``identity``.
        folder: programs with their conversations are kept in ``programs`` below it, and the VLM's answers in
            ``vlm_cache``.
        generation: a file of ``conf/generation``: ``repair``, ``single``, ``best_of_n`` or ``evolve``.
        reward, env_reward, sandbox: as for `CodeReward`.
        settings: of generation and verification, such as ``{"generation.program_attempts": 9,
            "verification.checks.robust.at_least": 0.9}``.
        say: is told each step in a line.
        vlm_settings: of ``conf/vlm/<vlm>.yaml``, such as ``model="gpt-5.2"``.

    Returns:
        ``program``, ``verdict`` and ``folder``, which has both and the conversation, and what it took.

    Raises:
        ConfigError: before anything is asked: a setting is wrong.
        VlmcarError: no program was accepted; says where the conversation is.
        NoReply: the VLM had no answer.
    """
    chosen = _by_group(settings or {}, ("generation", "verification"))
    wanted = _Wanted(
        env=task,
        vlm=_vlm_of(vlm, vlm_settings),
        generation=default("generation", generation, chosen["generation"]),
        sandbox=sandbox or default("sandbox", "default"),
        verification=verification_for(task, chosen["verification"]),
        reward=reward_of(reward, env_reward),
        method=default("method", "vlmcar", {"env_reward": env_reward}),
        results=str(folder),
    )
    wanted.generation.check_with(wanted.vlm, writes=True)
    with explained_errors():
        return sized(obtain_program(wanted, _Told(say)))


def _vlm_of(vlm: VLM | str, settings: Mapping[str, Any]) -> VLM:
    if isinstance(vlm, str):
        found: VLM = default("vlm", vlm, settings)
        return found
    if settings:
        raise ConfigError(f"{', '.join(settings)}: settings go with the word of a VLM, not with an object")
    return vlm


def _by_group(settings: Mapping[str, Any], groups: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {group: {} for group in groups}
    for key, value in settings.items():
        group, _, rest = key.partition(".")
        if group not in found or not rest:
            raise ConfigError(
                f"settings has {key}, and takes {' and '.join(f'{group}.<key>' for group in groups)}"
            )
        found[group][rest] = value
    return found
