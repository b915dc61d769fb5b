"""Where a training stands: one file, replaced atomically, from which a killed run goes on.

Everything is in one safetensors file (modules, optimizers, and what else there is to know in its
header), because two files that are replaced one after the other can be torn by a kill.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dtb_runtime.errors import CheckpointError

from .checkpoint import writing


def read_identity(path: Path) -> dict[str, Any]:
    """Return of which training a state is: ``config``, ``settings`` and ``people``.

    Raises
    ------
    CheckpointError
        If the file is not there or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            identity: dict[str, Any] = json.loads((file.metadata() or {})["training"])["identity"]
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError, OSError) as error:
        raise CheckpointError(
            f"{path} is not a readable training state ({error}). Give the folder of a checkpoint "
            "that `dtb-run train` wrote."
        ) from error
    return identity


class StateFile:
    """The state of one training.

    Parameters
    ----------
    path : Path
    identity : mapping of str to JSON value
        What the training is: network, settings, people. A state of another training is refused.
        ``config`` and ``settings`` are compared field by field, ``people`` is a digest.
    modules : mapping of str to nn.Module
        Saved and loaded in place.
    optimizers : mapping of str to Optimizer
        The same.
    """

    def __init__(
        self,
        path: Path,
        identity: Mapping[str, Any],
        modules: Mapping[str, nn.Module],
        optimizers: Mapping[str, torch.optim.Optimizer],
    ) -> None:
        self.path = path
        # Through JSON and back: a tuple of today must equal the list read tomorrow.
        self.identity = json.loads(json.dumps(dict(identity)))
        self.modules = dict(modules)
        self.optimizers = dict(optimizers)

    def save(self, progress: Mapping[str, Any], extra: Mapping[str, Tensor] | None = None) -> None:
        """Write the state; a kill at any moment leaves the old file or the new one.

        Parameters
        ----------
        progress : mapping of str to JSON value
        extra : mapping of str to Tensor, optional

        Raises
        ------
        OutputError
            If the disk is full or the folder cannot be written.
        """
        tensors = {f"extra/{name}": value for name, value in (extra or {}).items()}
        for name, module in self.modules.items():
            tensors |= {f"module/{name}/{k}": v for k, v in module.state_dict().items()}
        for name, optimizer in self.optimizers.items():
            for index, values in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer/{name}/{index}/{k}": v for k, v in values.items()}
        header = {"identity": self.identity, "progress": dict(progress)}
        with writing(self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial = self.path.with_name(self.path.name + ".partial")
            # Clones: safetensors refuses tensors that share memory, as a best network may.
            save_file(
                {k: v.detach().cpu().clone().contiguous() for k, v in tensors.items()},
                partial,
                metadata={"training": json.dumps(header)},
            )
            partial.replace(self.path)

    def load(self) -> dict[str, Any]:
        """Read the state into modules and optimizers.

        Returns
        -------
        dict
            What was given to `save` as progress; the extra tensors under ``"extra"``.

        Raises
        ------
        CheckpointError
            If the file is damaged, or is of another network, other settings or other people.
        """
        try:
            with safe_open(self.path, framework="pt") as file:
                header = json.loads((file.metadata() or {})["training"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            found, progress = header["identity"], header["progress"]
        except (SafetensorError, KeyError, TypeError, json.JSONDecodeError, OSError) as error:
            raise CheckpointError(
                f"{self.path} is not a readable training state ({error}). "
                "Start again without --resume (resume=False)."
            ) from error
        self._check(found)

        def under(prefix: str) -> dict[str, Tensor]:
            return {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}

        for name, module in self.modules.items():
            try:
                module.load_state_dict(under(f"module/{name}/"))
            except RuntimeError as error:
                # torch lists what is missing over several lines.
                raise CheckpointError(
                    f"{self.path} lacks parts of the training state "
                    f"({' '.join(str(error).split())}). Start again without --resume "
                    "(resume=False)."
                ) from error
        for name, optimizer in self.optimizers.items():
            moments: dict[int, dict[str, Tensor]] = {}
            for key, value in under(f"optimizer/{name}/").items():
                index, _, moment = key.partition("/")
                moments.setdefault(int(index), {})[moment] = value
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": moments, "param_groups": groups})
        return {**progress, "extra": under("extra/")}

    def _check(self, found: Mapping[str, Any]) -> None:
        """Refuse the state of another training, and say in what it differs."""
        differing = []
        for part in ("config", "settings"):
            expected, there = self.identity.get(part, {}), found.get(part, {})
            differing += [
                f"{name} {there.get(name)!r} (now {expected.get(name)!r})"
                for name in sorted(expected.keys() | there.keys())
                if there.get(name) != expected.get(name)
            ]
        if differing:
            raise CheckpointError(
                f"{self.path} was written with another network or other settings: "
                f"{', '.join(differing[:5])}. Resume with the settings it was started with, or "
                "start again in an empty folder."
            )
        if found.get("people") != self.identity.get("people"):
            raise CheckpointError(
                f"{self.path} was written while training on other people. Resume with the same "
                "cohort and seed, or start again in an empty folder."
            )
