"""The models that are served, as data: their names, and which tensors each takes and gives.

Of each bundle three: ``twin`` (from connectomes to forecasts), ``hypernetwork`` and ``main`` (its
networks, one at a time). Known from manifests alone, so whoever answers for the service needs no
bundle loaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from .errors import UsageError
from .manifest import Manifest

ModelKind: TypeAlias = Literal["twin", "hypernetwork", "main"]
ANY = -1
"""Length of an axis that a request chooses."""
_N_DIGITS = 12  # of a bundle's digest, as everywhere where one is shown


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor that a model takes or gives."""

    name: str
    datatype: str
    """Of the protocol. Numbers may be given as FP64 too where it is FP32."""
    shape: tuple[int, ...]
    """`ANY` where the request chooses."""
    axes: tuple[str, ...]
    """What each axis is along, for messages."""
    is_optional: bool = False
    """Of an input: it may be left out."""

    def metadata(self) -> dict[str, Any]:
        """The protocol's description of a tensor."""
        return {"name": self.name, "datatype": self.datatype, "shape": list(self.shape)}


@dataclass(frozen=True, slots=True)
class ServedModel:
    """One model of one bundle."""

    name: str
    versions: tuple[str, ...]
    """One: the first digits of the bundle's digest."""
    platform: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    kind: ModelKind
    bundle: str
    """Name of the bundle."""

    def metadata(self) -> dict[str, Any]:
        """The protocol's description of a model, as JSON values."""
        return {
            "name": self.name,
            "versions": list(self.versions),
            "platform": self.platform,
            "inputs": [tensor.metadata() for tensor in self.inputs],
            "outputs": [tensor.metadata() for tensor in self.outputs],
        }


def served_models(bundles: Iterable[tuple[Manifest, str]]) -> dict[str, ServedModel]:
    """The models of bundles, by name.

    Parameters
    ----------
    bundles : iterable of (Manifest, str)
        Manifest and digest of each, as `bundle_files.read_manifest` gives them.

    Returns
    -------
    dict of str to ServedModel
        ``<bundle>-twin``, ``<bundle>-hypernetwork`` and ``<bundle>-main`` of each; the first
        bundle's also without its name. A bundle without tasks has no twin. Manifests see to it that
        names can stand in addresses.

    Raises
    ------
    UsageError
        There is none, or two have one name.
    """
    models: dict[str, ServedModel] = {}
    for manifest, digest in bundles:
        own = _models_of(manifest, digest[:_N_DIGITS])
        if not models:
            models |= {model.kind: replace(model, name=model.kind) for model in own}
        for model in own:
            if model.name in models:
                raise UsageError(
                    f"There are two bundles {manifest.name!r}. Serve each once, or export one of "
                    "them under another name."
                )
            models[model.name] = model
    if not models:
        raise UsageError("There is no bundle to serve. Give at least one.")
    return models


def _models_of(manifest: Manifest, version: str) -> list[ServedModel]:
    tensors = {"hypernetwork": _hypernetwork(manifest), "main": _main(manifest)}
    if manifest.tasks:
        tensors = {"twin": _twin(manifest)} | tensors
    kinds: tuple[ModelKind, ...] = ("twin", "hypernetwork", "main")
    return [
        ServedModel(
            name=f"{manifest.name}-{kind}",
            versions=(version,),
            platform="dtb_bundle" if kind == "twin" else "onnxruntime_onnx",
            inputs=tensors[kind][0],
            outputs=tensors[kind][1],
            kind=kind,
            bundle=manifest.name,
        )
        for kind in kinds
        if kind in tensors
    ]


_Tensors: TypeAlias = tuple[tuple[TensorInfo, ...], tuple[TensorInfo, ...]]
PER_TRIAL = ("trial_task", "trial_type", "onset")
"""Outputs of a twin that are the same for everybody: one value a trial."""
PER_PERSON_AND_TRIAL = (
    "choice",
    "p_correct",
    "p_no_response",
    "response_time",
    "response_time_low",
    "response_time_lower_quartile",
    "response_time_upper_quartile",
    "response_time_high",
)
"""Those with one value a person and trial, named as in `Forecast.trials`."""
SAMPLED = ("sampled_choice", "sampled_response_time")
"""The same, of one response drawn; given with a seed only."""
_TEXTS = ("trial_task", "trial_type", "choice", "sampled_choice")


def _twin(manifest: Manifest) -> _Tensors:
    n = 0 if manifest.parcellation is None else len(manifest.parcellation.labels)
    inputs = (
        TensorInfo("connectome", "FP32", (ANY, n, n), ("people", "regions", "regions")),
        TensorInfo("labels", "BYTES", (n,), ("regions",), is_optional=True),
        TensorInfo("task", "BYTES", (1,), ("one",), is_optional=True),
    )
    outputs = (
        *(TensorInfo(name, _of(name), (ANY,), ("trials",)) for name in PER_TRIAL),
        *(
            TensorInfo(name, _of(name), (ANY, ANY), ("people", "trials"))
            for name in (*PER_PERSON_AND_TRIAL, *SAMPLED)
        ),
        TensorInfo("bold", "FP32", (ANY, ANY, manifest.n_bold), ("people", "frames", "regions")),
        TensorInfo("frame_task", "BYTES", (ANY,), ("frames",)),
        TensorInfo("bold_regions", "BYTES", (manifest.n_bold,), ("regions",)),
        TensorInfo("indicators", "FP64", (ANY, ANY), ("people", "indicators")),
        TensorInfo("indicator_names", "BYTES", (ANY,), ("indicators",)),
        TensorInfo("strangeness", "FP64", (ANY,), ("people",)),
    )
    return inputs, outputs


def _of(name: str) -> str:
    return "BYTES" if name in _TEXTS else "FP64"


def _hypernetwork(manifest: Manifest) -> _Tensors:
    weights = TensorInfo("weights", "FP32", (ANY, manifest.n_weights), ("people", "weights"))
    latent = TensorInfo("latent", "FP32", (ANY, manifest.latent_size), ("people", "latent"))
    inputs = (TensorInfo("edges", "FP32", (ANY, manifest.n_edges), ("people", "edges")),)
    return inputs, ((latent, weights) if manifest.latent_size else (weights,))


def _main(manifest: Manifest) -> _Tensors:
    hidden = (ANY, manifest.hidden_size)
    inputs = (
        TensorInfo("weights", "FP32", (ANY, manifest.n_weights), ("people", "weights")),
        TensorInfo("stimulus", "FP32", (ANY, manifest.n_inputs), ("time", "inputs")),
        TensorInfo("state", "FP32", hidden, ("people", "hidden"), is_optional=True),
    )
    outputs = (
        TensorInfo("actions", "FP32", (ANY, ANY, manifest.n_actions), ("people", "time", "action")),
        TensorInfo("bold", "FP32", (ANY, ANY, manifest.n_bold), ("people", "frames", "regions")),
        TensorInfo("final_state", "FP32", hidden, ("people", "hidden")),
    )
    return inputs, outputs
