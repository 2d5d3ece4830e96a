"""Models with open weights: where they lie, what loads them, and why they do not load."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vlmcar.types import NoReply, VlmcarError

_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_LOADED_FROM = (".json", ".jinja", ".txt", ".model", ".tiktoken", ".safetensors", ".bin", ".pt")
_SAMPLES, _SAMPLE_BYTES = 64, 4096


class Loaded(NamedTuple):
    """A model that reads pictures and text, ready to answer."""

    processor: Any
    model: Any
    device: str


def packages() -> tuple[Any, Any]:
    """torch and transformers, imported when they are needed.

    Raises:
        VlmcarError: one is not installed.
    """
    try:
        return importlib.import_module("torch"), importlib.import_module("transformers")
    except ImportError as error:
        raise VlmcarError(
            f"a local model needs transformers ({first_line(error)}): pip install 'vlmcar[transformers]'"
        ) from None


def folder_of(model: str) -> Path | None:
    """The folder that ``model`` names, or ``None`` if it can only be a hub id.

    Raises:
        VlmcarError: it is a path, and no folder is there.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    if path.exists() or not _HUB_ID.fullmatch(model):
        raise VlmcarError(
            f"vlm.model={model}: there is no such folder; it would hold config.json and weights"
        )
    return None


def fingerprint(folder: Path) -> str:
    """12 hex digits over the files that a model is loaded from: names, sizes, and samples spread over each.

    Other weights of equal shape differ nearly everywhere, so a quarter of a megabyte per file tells them apart.
    """
    sha = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix not in _LOADED_FROM or not path.is_file():
            continue
        size = path.stat().st_size
        sha.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            for start in np.linspace(0, max(0, size - _SAMPLE_BYTES), _SAMPLES, dtype=np.int64):
                file.seek(int(start))
                sha.update(file.read(_SAMPLE_BYTES))
    return sha.hexdigest()[:12]


def load(model: str, revision: str | None, device: str, dtype: str) -> Loaded:
    """Load an image-text-to-text model for chat, with a tokenizer that pads on the left.

    Args:
        model: a folder or a hub id.
        revision: of the hub's.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        dtype: ``auto`` (as saved) or the name of a torch dtype.

    Raises:
        VlmcarError: a package, the device or the model is missing, or it is another kind of model.
        NoReply: it does not fit into the memory.
    """
    torch, transformers = packages()
    device = _device(torch, device)
    folder = folder_of(model)
    print(f"vlm: loading {model} on {device}, dtype {dtype}", flush=True)
    source, options = str(folder or model), {"revision": revision, "trust_remote_code": False}
    try:
        with memory(device, "take vlm.dtype=bfloat16 or a smaller model"), quiet(bars=folder is None):
            config = transformers.AutoConfig.from_pretrained(source, **options)
            if type(config) not in transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
                raise VlmcarError(
                    f"vlm.model={model} is no model that reads pictures and text: its type is {config.model_type}"
                )
            processor = transformers.AutoProcessor.from_pretrained(source, **options)
            architecture = transformers.AutoModelForImageTextToText
            loaded = architecture.from_pretrained(source, dtype=dtype, **options).eval().to(device)
    except VlmcarError:
        raise
    except Exception as error:  # files of others: whatever is wrong with them
        raise VlmcarError(_why_not(model, folder, error)) from None
    _prepare(processor, model)
    return Loaded(processor, loaded, device)


def _prepare(processor: Any, model: str) -> None:
    tokenizer = processor.tokenizer
    if processor.chat_template is None:
        processor.chat_template = tokenizer.chat_template
    if processor.chat_template is None:
        raise VlmcarError(f"vlm.model={model} has no chat template: take a model that is tuned to chat")
    tokenizer.padding_side = "left"  # so that the next token stands at the end of every prompt
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token


def _device(torch: Any, wanted: str) -> str:
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not there[wanted]:
        raise VlmcarError(
            f"vlm.device={wanted}, but torch {torch.__version__} sees none here: take vlm.device=cpu"
        )
    return wanted


def _why_not(model: str, folder: Path | None, error: Exception) -> str:
    problem = f"vlm.model={model} cannot be loaded: {first_line(error)}"
    if isinstance(error, ImportError):
        return f"{problem} (is a package missing? pip install 'vlmcar[transformers]')"
    if folder is None and isinstance(error, OSError):  # not there, out of reach, or behind a licence
        return (
            f"{problem} No folder has this name, either: download the model where there is a network, with "
            f"hf download {model} --local-dir FOLDER, and take vlm.model=FOLDER"
        )
    return problem


@contextlib.contextmanager
def quiet(bars: bool = False) -> Iterator[None]:
    """No advice from transformers in here and, unless ``bars``, no progress bars; errors are raised as ever."""
    logging = importlib.import_module("transformers.utils.logging")
    level, shown = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    if shown and not bars:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if shown and not bars:
            logging.enable_progress_bar()


@contextlib.contextmanager
def memory(device: str, advice: str) -> Iterator[None]:
    """Out of memory in here is a ``NoReply`` that says what to change."""
    try:
        yield
    except RuntimeError as error:  # CUDA, MPS and the CPU each have their own words
        if not re.search("out of memory|can't allocate memory", str(error), re.IGNORECASE):
            raise
        if device == "cuda":
            packages()[0].cuda.empty_cache()
        raise NoReply(f"the memory of {device} is too small: {advice}") from None


def first_line(error: BaseException) -> str:
    """What an error says first."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
