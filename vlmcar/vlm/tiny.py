"""A tiny randomly initialised LLaVA: ``python -m vlmcar.vlm.tiny FOLDER``, then ``vlm=transformers vlm.model=FOLDER``.

For trying the local path, its tests and its benchmark on a machine without weights. It reads pictures and text as a
real model does, with a quarter of a million parameters; its answers are noise, and hardly ever yes or no, so take
``vlm.min_answer_mass=0`` for decisions.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from vlmcar.types import VlmcarError
from vlmcar.vlm.weights import packages, quiet

HIDDEN = 64
PATCH = 14
PICTURE = 4 * PATCH
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


def save_tiny_vlm(folder: Path, seed: int = 0) -> Path:
    """Build the model and save it with its processor, as ``AutoProcessor`` and ``AutoModelForImageTextToText`` load it.

    Args:
        folder: is made; files in it are overwritten.
        seed: of the weights; the same seed gives the same weights, and the global generator is left as it was.

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
            model = transformers.LlavaForConditionalGeneration(_config(tokenizer)).eval()
        _processor(tokenizer).save_pretrained(folder)
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


def _config(tokenizer: Any) -> Any:
    _, transformers = packages()
    size = {
        "hidden_size": HIDDEN,
        "intermediate_size": 2 * HIDDEN,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "initializer_range": 0.2,  # larger than usual: with 0.02, all pictures get nearly the same answer
    }
    special = {
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    return transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(
            **size, image_size=PICTURE, patch_size=PATCH, projection_dim=HIDDEN
        ),
        text_config=transformers.LlamaConfig(
            **size, **special, vocab_size=len(tokenizer), num_key_value_heads=4, max_position_embeddings=8192
        ),
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=(PICTURE // PATCH) ** 2,
        **special,
    )


def _processor(tokenizer: Any) -> Any:
    _, transformers = packages()
    square = {"height": PICTURE, "width": PICTURE}
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
    given = parser.parse_args()
    try:
        folder = save_tiny_vlm(given.folder, given.seed)
    except VlmcarError as error:
        parser.exit(1, f"{error}\n")
    except OSError as error:
        parser.exit(1, f"{given.folder} cannot be written ({error.strerror or error}): give another folder\n")
    print(
        f"{folder}: a tiny VLM with random weights, whose answers are noise. Try it with vlm=transformers "
        f"vlm.model={folder} vlm.min_answer_mass=0 (it hardly ever says yes or no)"
    )


if __name__ == "__main__":
    main()
