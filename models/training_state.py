"""The state of a training run after an epoch: one file, replaced atomically.

Everything is in one safetensors file (network, optimizer, best network so far, and the loss curve
in its header), because two files that are replaced one after the other can be torn by a kill.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from dtb_runtime.errors import CheckpointError

from .checkpoint import writing
from .hypernetwork import TwinNetwork
from .settings import TrainingSettings


@dataclass(frozen=True, slots=True)
class EpochLosses:
    """Losses of one epoch: mean over people and steps, before weighting."""

    epoch: int
    train_action: float
    train_bold: float
    validation_action: float
    validation_bold: float


@dataclass(frozen=True, slots=True)
class TrainingState:
    """Where a training run stands."""

    epoch: int
    """Epochs done."""
    history: tuple[EpochLosses, ...]
    best_epoch: int
    best_loss: float
    best: dict[str, Tensor]
    """State dict of the best network so far."""
    people_digest: str
    """Of the training people's edges, to notice another cohort."""


def save_training_state(
    path: Path,
    state: TrainingState,
    network: TwinNetwork,
    probe: torch.nn.Linear,
    optimizer: torch.optim.Optimizer,
    settings: TrainingSettings,
) -> None:
    """Write the state; a kill at any moment leaves the old file or the new one.

    Raises
    ------
    OutputError
        If the disk is full or the folder cannot be written.
    """
    tensors = {f"network.{k}": v.detach().cpu() for k, v in network.state_dict().items()}
    tensors |= {f"probe.{k}": v.detach().cpu() for k, v in probe.state_dict().items()}
    tensors |= {f"best.{k}": v for k, v in state.best.items()}
    for index, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{k}": v.detach().cpu() for k, v in values.items()}
    header = {
        "epoch": state.epoch,
        "best_epoch": state.best_epoch,
        "best_loss": state.best_loss,
        "people_digest": state.people_digest,
        "history": [asdict(losses) for losses in state.history],
        "config": network.config.to_json(),
        "settings": settings.to_json(),
    }
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".partial")
        # Clones: safetensors refuses tensors that share memory, as the best network does at first.
        save_file(
            {k: v.clone().contiguous() for k, v in tensors.items()},
            partial,
            metadata={"training": json.dumps(header)},
        )
        partial.replace(path)


def load_training_state(
    path: Path,
    network: TwinNetwork,
    probe: torch.nn.Linear,
    optimizer: torch.optim.Optimizer,
    settings: TrainingSettings,
    people_digest: str,
) -> TrainingState:
    """Read the state into network, probe and optimizer; return the rest.

    Raises
    ------
    CheckpointError
        If the file is damaged, or was written with another network, other settings or people.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["training"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, json.JSONDecodeError, OSError) as error:
        raise CheckpointError(
            f"{path} is not a readable training state ({error}). Start again without --resume."
        ) from error
    expected = json.loads(json.dumps(network.config.to_json() | settings.to_json()))
    found = header["config"] | header["settings"]
    differing = [
        f"{name} {found.get(name)!r} (now {expected.get(name)!r})"
        for name in sorted(expected.keys() | found.keys())
        if found.get(name) != expected.get(name)
    ]
    if differing:
        raise CheckpointError(
            f"{path} was written with another network or other settings: "
            f"{', '.join(differing[:5])}. Resume with the settings it was started with, or start "
            "again in an empty folder."
        )
    if header["people_digest"] != people_digest:
        raise CheckpointError(
            f"{path} was written while training on other people. Resume with the same cohort and "
            "seed, or start again in an empty folder."
        )

    def under(prefix: str) -> dict[str, Tensor]:
        return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}

    network.load_state_dict(under("network."))
    probe.load_state_dict(under("probe."))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in under("optimizer.").items():
        index, _, key = name.partition(".")
        moments.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict(
        {"state": moments, "param_groups": optimizer.state_dict()["param_groups"]}
    )
    return TrainingState(
        epoch=header["epoch"],
        history=tuple(EpochLosses(**losses) for losses in header["history"]),
        best_epoch=header["best_epoch"],
        best_loss=header["best_loss"],
        best=under("best."),
        people_digest=people_digest,
    )
