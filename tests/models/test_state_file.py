"""The state of a training: all of it in one file, whole or not at all, and no other training's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from dtb_models.state_file import StateFile
from dtb_runtime.errors import CheckpointError, OutputError

IDENTITY: dict[str, Any] = {
    "config": {"leak": (1.0, 0.5)},
    "settings": {"rate": 0.1, "seed": 3},
    "people": "abc",
}


def make(path: Path, seed: int, **changes: Any) -> tuple[StateFile, nn.Module]:
    """Return a state file of a small module and its optimizer."""
    torch.manual_seed(seed)
    module = nn.Linear(3, 2)
    optimizer = torch.optim.Adam([{"params": [module.weight]}, {"params": [module.bias]}], lr=0.1)
    file = StateFile(path, IDENTITY | changes, {"net": module}, {"net": optimizer})
    return file, module


def train(file: StateFile, module: nn.Module, n_steps: int) -> None:
    for _ in range(n_steps):
        loss = module(torch.tensor([[1.0, -2.0, 0.5]])).square().sum()
        file.optimizers["net"].zero_grad()
        loss.backward()
        file.optimizers["net"].step()


def test_a_training_goes_on_from_its_file(tmp_path: Path) -> None:
    file, module = make(tmp_path / "new" / "state.safetensors", 1)
    train(file, module, 3)
    file.save({"update": 3, "losses": [0.1, 2.5]}, {"best": torch.arange(4)})
    train(file, module, 4)

    other_file, other = make(file.path, 2)
    assert not torch.equal(other.weight, module.weight)
    progress = other_file.load()
    assert (progress["update"], progress["losses"]) == (3, [0.1, 2.5])
    assert torch.equal(progress["extra"]["best"], torch.arange(4))
    train(other_file, other, 4)
    # The optimizer's moments are part of it: else the next steps would be others.
    assert torch.equal(other.weight, module.weight)
    assert torch.equal(other.bias, module.bias)


def test_the_same_state_has_the_same_bytes(tmp_path: Path) -> None:
    first, again = make(tmp_path / "a", 1)[0], make(tmp_path / "b", 1)[0]
    first.save({"update": 0})
    again.save({"update": 0})
    assert first.path.read_bytes() == again.path.read_bytes()


def test_a_save_that_fails_leaves_the_state_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, module = make(tmp_path / "state", 1)
    file.save({"update": 1})
    before = file.path.read_bytes()

    def torn(_: object, path: Path, **__: object) -> None:
        path.write_bytes(b"torn")
        raise OSError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("dtb_models.state_file.save_file", torn)
        with pytest.raises(OutputError, match=r"No space left on device.*go on with --resume"):
            file.save({"update": 2})
    assert file.path.read_bytes() == before
    assert file.load()["update"] == 1
    train(file, module, 1)
    file.save({"update": 2})  # over what was left behind
    assert file.load()["update"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": {"leak": (1.0, 0.4)}}, r"other settings: leak \[1\.0, 0\.5\] \(now \[1\.0, 0"),
        ({"settings": {"rate": 0.2, "seed": 3}}, r"rate 0\.1 \(now 0\.2\)"),
        ({"settings": {"rate": 0.1}}, r"seed 3 \(now None\)"),
        ({"people": "abd"}, "training on other people"),
    ],
)
def test_another_trainings_state_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    make(tmp_path / "state", 1)[0].save({"update": 1})
    other, module = make(tmp_path / "state", 2, **change)
    before = module.weight.detach().clone()
    with pytest.raises(CheckpointError, match=message):
        other.load()
    assert torch.equal(module.weight, before)


@pytest.mark.parametrize("content", [b"", b"not a state", b"\x10" + b"\0" * 7 + b"{}"])
def test_a_file_that_is_no_state_is_refused(tmp_path: Path, content: bytes) -> None:
    file, _ = make(tmp_path / "state", 1)
    file.path.write_bytes(content)
    with pytest.raises(CheckpointError, match="not a readable training state"):
        file.load()


def test_a_state_cut_short_or_without_a_header_is_refused(tmp_path: Path) -> None:
    file, _ = make(tmp_path / "state", 1)
    file.save({"update": 1})
    file.path.write_bytes(file.path.read_bytes()[:-5])
    with pytest.raises(CheckpointError, match="not a readable training state"):
        file.load()
    save_file({"module/net/weight": torch.zeros(2, 3)}, file.path)
    with pytest.raises(CheckpointError, match="not a readable training state"):
        file.load()


def test_a_state_that_lacks_a_part_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, _ = make(tmp_path / "state", 1)

    def without_bias(tensors: dict[str, Any], path: Path, **header: Any) -> None:
        save_file({k: v for k, v in tensors.items() if not k.endswith("bias")}, path, **header)

    monkeypatch.setattr("dtb_models.state_file.save_file", without_bias)
    file.save({"update": 1})
    assert "module/net/bias" not in load_file(file.path)
    with pytest.raises(CheckpointError, match=r"lacks parts of the training state .*bias"):
        file.load()
