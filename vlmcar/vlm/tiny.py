"""A randomly initialised LLaVA: ``python -m vlmcar.vlm.tiny FOLDER``, then ``vlm=transformers vlm.model=FOLDER``.

For trying the local path, its tests and its benchmark on a machine without weights. It reads pictures and text as a
real model does, with a quarter of a million parameters; its answers are noise, and hardly ever yes or no, so take
``vlm.min_answer_mass=0`` for decisions. ``--size 7b`` is as large as LLaVA-1.5-7B, in bfloat16: what it takes to ask it
is what it takes to ask one with weights.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlmcar.types import VlmcarError
from vlmcar.vlm.weights import packages, quiet

PATCH = 14
VOCABULARY = 400
PAD, START, END, IMAGE = "<pad>", "<s>", "<|end|>", "<image>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")

TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "<|{{ message.role }}|>"
    "{% if message.content is string %}{{ message.content }}"
    "{% else %}{% for part in message.content %}"
    "{% if part.type == 'text' %}{{ part.text }}{% else %}<image>{% endif %}"
    "{% endfor %}{% endif %}"
    "<|end|>"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

CORPUS = (
    "Yes or No? Yes. No. Answer with Yes or No. The answer is Yes. The answer is No.",
    "The picture was taken during an episode. Is the following so in it?",
    "Picture 1 was taken at the start of an episode, picture 2 later. Compare them.",
    "The agent has picked up the key, opened the door and reached the goal.",
    "def progress(initial, frame): return 1.0 if np.any(frame != initial) else 0.0",
)
"""What the tokenizer is trained on, so that common words of this project are few tokens."""


@dataclass(frozen=True)
class Size:
    """Of a LLaVA: sizes of its two towers, as (hidden, intermediate, layers, heads)."""

    vision: tuple[int, int, int, int]
    text: tuple[int, int, int, int]
    patches: int
    """Along one side of a picture, which is cut to a square."""
    scores: int
    """Tokens that the model scores; the tokenizer has ``VOCABULARY`` of its own."""
    spread: float
    """Standard deviation of the weights. With the usual 0.02, a tiny model answers nearly the same to all pictures."""
    dtype: str


SIZES = {
    "tiny": Size((64, 128, 2, 4), (64, 128, 2, 4), 4, VOCABULARY, 0.2, "float32"),
    # config.json of llava-hf/llava-1.5-7b-hf: CLIP-ViT-L/14 at 336 pixels and Vicuna-7B
    "7b": Size((1024, 4096, 24, 16), (4096, 11008, 32, 32), 24, 32064, 0.02, "bfloat16"),
}


def save_tiny_vlm(folder: Path, seed: int = 0, size: str = "tiny", device: str = "cpu") -> Path:
    """Build the model and save it with its processor, as ``AutoProcessor`` and ``AutoModelForImageTextToText`` load it.

    Args:
        folder: is made; files in it are overwritten.
        seed: of the weights; on a CPU the same seed gives the same weights, and its generator is left as it was.
        size: a key of ``SIZES``.
        device: of PyTorch, where the weights are drawn; 7 billion take minutes on a CPU.

    Returns:
        ``folder``.

    Raises:
        VlmcarError: transformers is not installed.
    """
    torch, transformers = packages()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer()
    with quiet():
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            if device != "cpu":
                torch.manual_seed(seed)
            config = _config(tokenizer, SIZES[size])
            with torch.device(device):
                model = transformers.AutoModelForImageTextToText.from_config(
                    config, dtype=getattr(torch, SIZES[size].dtype)
                ).eval()
        _processor(tokenizer, SIZES[size]).save_pretrained(folder)
        model.save_pretrained(folder)
    return folder


def _tokenizer() -> Any:
    """A byte-level BPE; "Yes" and "No" come out as single tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    _, transformers = packages()

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, START, END, IMAGE, *ROLES],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # "Yes" and "No" at the start of a text are words of their own: without a space before them
    bpe.train_from_iterator([*CORPUS, *["Yes", "No"] * 100], trainer)
    # as many tokenizers do, although the chat template has written the start already
    bpe.post_processor = processors.TemplateProcessing(
        single=f"{START} $A", special_tokens=[(START, bpe.token_to_id(START))]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token=PAD,
        bos_token=START,
        eos_token=END,
        additional_special_tokens=[IMAGE, *ROLES],
        chat_template=TEMPLATE,
        padding_side="left",
    )


def _tower(sizes: tuple[int, int, int, int], spread: float) -> dict[str, Any]:
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    return {**dict(zip(names, sizes, strict=True)), "initializer_range": spread}


def _config(tokenizer: Any, size: Size) -> Any:
    _, transformers = packages()
    special = {
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    return transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(
            **_tower(size.vision, size.spread),
            image_size=size.patches * PATCH,
            patch_size=PATCH,
            projection_dim=size.vision[0],
        ),
        text_config=transformers.LlamaConfig(
            **_tower(size.text, size.spread),
            **special,
            vocab_size=max(size.scores, len(tokenizer)),
            num_key_value_heads=size.text[3],
            max_position_embeddings=8192,
        ),
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=size.patches**2,
        **special,
    )


def _processor(tokenizer: Any, size: Size) -> Any:
    _, transformers = packages()
    square = dict.fromkeys(("height", "width"), size.patches * PATCH)
    return transformers.LlavaProcessor(
        image_processor=transformers.CLIPImageProcessor(size=square, crop_size=square),
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,  # the vision tower's class token, which "default" leaves out again
        chat_template=TEMPLATE,
        image_token=IMAGE,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m vlmcar.vlm.tiny", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the model is saved")
    parser.add_argument("--seed", type=int, default=0, help="of its weights (default: 0)")
    parser.add_argument("--size", choices=SIZES, default="tiny", help="default: tiny")
    parser.add_argument("--device", default="cpu", help="where its weights are drawn (default: cpu)")
    given = parser.parse_args()
    try:
        folder = save_tiny_vlm(given.folder, given.seed, given.size, given.device)
    except VlmcarError as error:
        parser.exit(1, f"{error}\n")
    except OSError as error:
        parser.exit(1, f"{given.folder} cannot be written ({error.strerror or error}): give another folder\n")
    print(
        f"{folder}: a VLM with random weights, whose answers are noise. Try it with vlm=transformers "
        f"vlm.model={folder} vlm.min_answer_mass=0 (it hardly ever says yes or no)"
    )


if __name__ == "__main__":
    main()
