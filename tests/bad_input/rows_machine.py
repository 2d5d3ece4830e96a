"""What the machine lacks, and endpoints that misbehave."""

from __future__ import annotations

import json
import shutil

from tests.bad_input.kept import SMALL
from tests.bad_input.running import Mistake, Place
from tests.conftest import ROOT
from tests.vlm.misbehaving_server import answer, cut, error, hang, hang_up, reply_with

SPARSE = f"{SMALL} method=sparse"


def lacks(wrong: str, command: str, *says: str, **more: object) -> Mistake:
    values = {"status": 1, "also": SPARSE, **more}
    return Mistake("environment", wrong, f"run.py {command}", says, **values)  # type: ignore[arg-type]


def elsewhere(place: Place) -> None:
    """``run.py`` without ``conf`` beside it."""
    place.cwd = place.path / "elsewhere"
    place.cwd.mkdir()
    shutil.copy(ROOT / "run.py", place.cwd)


LACKS = (
    lacks(
        "Procgen is not installed",
        "env=procgen/maze",
        "package procgen",
        "make setup",
        missing=("procgen",),
        also="method=sparse logger=none",
    ),
    lacks(
        "W&B is not installed",
        "logger=wandb",
        "package wandb",
        "make setup",
        missing=("wandb",),
        also=SPARSE.replace("logger=none", ""),
    ),
    lacks(
        "openai is not installed",
        "vlm=openai vlm.model=m stage=generate",
        "pip install 'vlmcar[openai]'",
        missing=("openai",),
        also=SMALL,
    ),
    lacks(
        "transformers is not installed",
        "vlm=transformers vlm.model={place} stage=generate",
        "pip install 'vlmcar[transformers]'",
        missing=("transformers",),
        also=SMALL,
    ),
    lacks(
        "there is no GPU",
        "training.device=cuda",
        "sees no GPU",
        "training.device=cpu",
        env={"CUDA_VISIBLE_DEVICES": ""},
    ),
    lacks(
        "too little memory",
        "algorithm=dqn algorithm.buffer_size=1000000000000",
        "not enough memory",
        "buffer_size",
    ),
    lacks(
        "a model's folder that is not there",
        "vlm=transformers vlm.model={place}/model stage=generate",
        "there is no such folder",
        also=SMALL,
    ),
    lacks(
        "a folder that holds no model",
        "vlm=transformers vlm.model={place} stage=generate",
        "cannot be loaded",
        also=SMALL,
    ),
    lacks("an environment that does not exist", "env.env_id=MiniGrid-Nope-v0 env.name=nope", "doesn't exist"),
    lacks(
        "an environment of another kind",
        "env.env_id=CartPole-v1 env.name=cartpole",
        "no MiniGrid environment",
    ),
    lacks(
        "a training that diverges",
        "algorithm.learning_rate=1e30",
        "the training diverged",
        "lower algorithm.learning_rate",
    ),
    lacks(
        "a value function that diverges",
        "algorithm=dqn algorithm.learning_rate=1e30",
        "the training diverged",
    ),
    lacks(
        "conf is not beside run.py",
        "method=sparse",
        "Primary config directory not found",
        prepare=elsewhere,
        status=2,
    ),
    lacks(
        "a sandbox that cannot start in time",
        "sandbox.startup_seconds=0.001 stage=generate",
        "sandbox.startup_seconds",
        also=SMALL,
    ),
)

DESCRIBED = answer("The image shows a room with a key, a door and a green goal square.")
LOCAL = "vlm=openai vlm.model=m vlm.base_url={url} vlm.api_key_env=null"


def asked(wrong: str, command: str, *says: str, **more: object) -> Mistake:
    values = {"status": 1, "also": f"{SMALL} stage=generate vlm.max_retries=0", **more}
    return Mistake("endpoint", wrong, f"run.py {command}", says, **values)  # type: ignore[arg-type]


def served(wrong: str, behaviour: object, *says: str, **more: object) -> Mistake:
    behaviours = behaviour if isinstance(behaviour, tuple) else (behaviour,)
    return asked(wrong, str(more.pop("command", LOCAL)), *says, serve=behaviours, **more)


KEYED = {"command": "vlm=openai vlm.model=m vlm.base_url={url}", "env": {"OPENAI_API_KEY": "sk-of-somebody"}}
UNSET = "vlm=openai vlm.model=m"
NO_CODE = "I am sorry, I can only describe pictures."
ENDPOINT = (
    asked("the key's variable is not set", UNSET, "OPENAI_API_KEY is not set", "vlm.api_key_env=NAME"),
    asked(
        "the key's variable holds something else", UNSET, "holds no API key", env={"OPENAI_API_KEY": "my key"}
    ),
    asked(
        "nothing listens there",
        LOCAL.replace("{url}", "http://127.0.0.1:9/v1"),
        "refused",
        "is the server running",
    ),
    asked(
        "a host name that does not exist",
        LOCAL.replace("{url}", "http://nope.invalid/v1"),
        "is the host's name right",
    ),
    asked(
        "https to a server that speaks http",
        LOCAL.replace("{url}", "{tls}"),
        "SSL",
        "http://",
        serve=(DESCRIBED,),
    ),
    served("a wrong path", error(404, "Not Found"), "HTTP 404", "vlm.base_url, which often ends in /v1"),
    served(
        "a wrong key",
        error(401, "Incorrect API key provided"),
        "HTTP 401",
        "check the key in OPENAI_API_KEY",
        **KEYED,
    ),
    served(
        "a key that may not", error(403, "not allowed"), "HTTP 403", "what the key in OPENAI_API_KEY", **KEYED
    ),
    served(
        "a setting that it refuses", error(400, "temperature is not supported"), "HTTP 400", "vlm.temperature"
    ),
    served(
        "too many requests, for ever",
        error(429, "quota exceeded"),
        "HTTP 429",
        "2 times",
        "a used-up quota",
        also=f"{SMALL} stage=generate vlm.max_retries=1",
    ),
    served("it fails, for ever", error(500, "internal error"), "HTTP 500"),
    served("it moved", reply_with(b"", 301, Location="http://elsewhere/v1"), "HTTP 301", "vlm.base_url"),
    served(
        "no JSON",
        reply_with(b"<html>welcome</html>", content_type="text/html"),
        "holds no JSON object",
        "welcome",
    ),
    served(
        "JSON of another kind", reply_with(json.dumps({"hello": 1}).encode()), "without choices[0].message"
    ),
    served("an empty body", reply_with(b""), "an empty body"),
    served("an empty answer", answer(""), "without text"),
    served("it refuses to answer", answer("no", finish_reason="content_filter"), "refused to answer"),
    served(
        "an answer that is cut",
        answer("The", finish_reason="length"),
        "cut at vlm.max_tokens=8192",
        "raise it",
    ),
    served(
        "it says nothing for too long",
        hang,
        "vlm.timeout_seconds=0.5",
        "raise it",
        also=f"{SMALL} stage=generate vlm.max_retries=0 vlm.timeout_seconds=0.5",
    ),
    served("it hangs up", hang_up, "cannot be reached", "server is running"),
    served("it hangs up in the middle of an answer", cut, "cannot be reached", "server is running"),
    served("it is gone after the first answer", (DESCRIBED, hang_up), "cannot be reached"),
    served("answers without sub-tasks", (DESCRIBED, answer(NO_CODE)), "readable_attempts", "vlm.cache=false"),
)
ROWS = (*LACKS, *ENDPOINT)
