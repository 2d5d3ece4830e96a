"""What loads a local model, what it says when it cannot, and the tiny model to try it with."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import flat
from vlmcar.types import VlmcarError
from vlmcar.vlm import tiny, weights
from vlmcar.vlm.transformers import Transformers


def fails(vlm: Transformers, kind: type[VlmcarError] = VlmcarError) -> str:
    with pytest.raises(kind) as caught:
        vlm.decide([(flat(7),)], ["Is it so?"])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_package_says_what_to_install(
    local_vlm: Callable[..., Transformers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert "pip install 'vlmcar[transformers]'" in fails(local_vlm())


def test_a_missing_folder_is_named(local_vlm: Callable[..., Transformers]) -> None:
    vlm = local_vlm(model="/no/such/folder")
    assert "vlm.model=/no/such/folder: there is no such folder" in fails(vlm)
    with pytest.raises(VlmcarError, match="no such folder"):
        vlm.identity([])
    assert "no such folder" in fails(local_vlm(model=__file__))  # a file


def test_a_hub_id_out_of_reach_says_what_to_download(
    local_vlm: Callable[..., Transformers], monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    said = fails(local_vlm(model="nobody/nothing-vl"))
    assert "vlm.model=nobody/nothing-vl cannot be loaded" in said
    assert "hf download nobody/nothing-vl --local-dir FOLDER" in said


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_missing_device_is_no_silent_cpu(
    local_vlm: Callable[..., Transformers], monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    torch, _ = weights.packages()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert f"vlm.device={device}, but torch" in fails(local_vlm(device=device))
    assert local_vlm(device="auto")._loaded.device == "cpu"


def test_a_text_model_is_refused_before_its_weights_are_read(
    local_vlm: Callable[..., Transformers], tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}', encoding="utf-8")
    assert "is no model that reads pictures and text: its type is llama" in fails(
        local_vlm(model=str(tmp_path))
    )


def test_broken_weights_are_no_traceback(
    local_vlm: Callable[..., Transformers], tiny_vlm: Path, tmp_path: Path
) -> None:
    broken = Path(shutil.copytree(tiny_vlm, tmp_path / "broken"))
    (broken / "model.safetensors").write_bytes(b"\0" * 100)
    assert f"vlm.model={broken} cannot be loaded: " in fails(local_vlm(model=str(broken)))
    (broken / "model.safetensors").unlink()
    assert "no file named model.safetensors" in fails(local_vlm(model=str(broken)))


def test_a_model_that_is_not_tuned_to_chat_is_refused(
    local_vlm: Callable[..., Transformers], tiny_vlm: Path, tmp_path: Path
) -> None:
    mute = Path(shutil.copytree(tiny_vlm, tmp_path / "mute"))
    (mute / "chat_template.jinja").unlink()
    assert "has no chat template" in fails(local_vlm(model=str(mute)))


def test_identity_of_a_folder_is_its_content(
    local_vlm: Callable[..., Transformers], tiny_vlm: Path, tmp_path: Path
) -> None:
    moved = Path(shutil.copytree(tiny_vlm, tmp_path / tiny_vlm.name))
    (moved / "README.md").write_text("tiny", encoding="utf-8")
    plain = local_vlm().identity([])
    assert local_vlm(model=str(moved)).identity([]) == plain
    (moved / "chat_template.jinja").write_text("{{ bos_token }}", encoding="utf-8")
    assert local_vlm(model=str(moved)).identity([]) != plain
    tiny.save_tiny_vlm(moved, seed=1)  # the same names and sizes
    assert local_vlm(model=str(moved)).identity([]) != plain
    tiny.save_tiny_vlm(moved, seed=0)
    assert local_vlm(model=str(moved)).identity([]) == plain


# The tiny model


def test_two_tiny_models_of_one_seed_have_the_same_weights(tiny_vlm: Path, tmp_path: Path) -> None:
    torch, _ = weights.packages()
    before = torch.get_rng_state()
    again, other = (tiny.save_tiny_vlm(tmp_path / str(seed), seed) for seed in (0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    names = sorted(path.name for path in tiny_vlm.iterdir())
    assert sorted(path.name for path in again.iterdir()) == names
    assert [(again / name).read_bytes() for name in names] == [
        (tiny_vlm / name).read_bytes() for name in names
    ]
    assert (other / "model.safetensors").read_bytes() != (tiny_vlm / "model.safetensors").read_bytes()


@pytest.mark.usefixtures("tiny_vlm")
def test_the_tiny_model_has_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tiny", str(tmp_path / "here"), "--seed", "2"])
    tiny.main()
    assert f"vlm.model={tmp_path / 'here'}" in capsys.readouterr().out
    assert (tmp_path / "here" / "model.safetensors").exists()
