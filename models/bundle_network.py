"""A bundle's networks in PyTorch, where gradients can be taken through them.

The numbers come out of the bundle's own ONNX files, so whoever has a bundle needs no checkpoint.
That both compute the same is checked each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_files import read_bundle_files
from dtb_runtime.errors import BundleError
from dtb_runtime.onnx_arrays import read_arrays

from .array_types import BatchEdges, BatchLatent, BatchStimulus, BatchWeights
from .config import NetworkConfig
from .main_network import MainOutput, run_main_network

TOLERANCE = 1e-3
"""Largest difference between PyTorch and ONNX Runtime, relative to the largest number: both are
sums over ten thousands of edges in float32."""
_CHECKED_STEPS = 200
_CHECKED_EDGE_SD = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class BundleNetwork:
    """The hypernetwork and the main network of a bundle; all tensors have one type."""

    bundle: Bundle
    config: NetworkConfig
    """Sizes of the main network."""
    leak: Tensor
    """(hidden,)"""
    arrays: Mapping[str, Tensor]
    """Of the hypernetwork, by their names in its graph."""

    @classmethod
    def of(cls, bundle: Bundle, dtype: torch.dtype = torch.float32) -> BundleNetwork:
        """Read the networks of a loaded bundle.

        Parameters
        ----------
        bundle : Bundle
        dtype : torch.dtype
            `torch.float64` for derivatives to many digits.

        Raises
        ------
        BundleError
            The bundle has changed since it was loaded, its hypernetwork has neither preset's form,
            or PyTorch gives other numbers than ONNX Runtime.
        """
        files = read_bundle_files(bundle.folder)
        if files.digest != bundle.digest:
            raise BundleError(
                f"The bundle in {bundle.folder} is another one than when it was loaded. Load it "
                "again."
            )
        found = {
            role: {
                name.removesuffix("_f16"): torch.tensor(np.asarray(array, np.float64), dtype=dtype)
                for name, array in read_arrays(files.contents[spec.file], spec.file).items()
                if array.dtype.kind == "f"
            }
            for role, spec in bundle.manifest.graphs.items()
            if role in ("hypernetwork", "main")
        }
        leak = found["main"].get("leak", torch.ones(bundle.manifest.hidden_size, dtype=dtype))
        network = cls(bundle, _config(bundle, leak), leak.flatten(), found["hypernetwork"])
        network._check_form()
        network._check_parity()
        return network

    @property
    def has_latent(self) -> bool:
        """Whether the hypernetwork goes through a latent."""
        return "basis" in self.arrays

    @property
    def dtype(self) -> torch.dtype:
        """Type of all tensors."""
        return self.leak.dtype

    def latent(self, edges: BatchEdges) -> BatchLatent:
        """Return z of each person; only with `has_latent`."""
        a = self.arrays
        scores = (edges - a["edge_mean"]) @ a["basis"].T
        if "component_limit" in a:
            scores = a["component_limit"] * torch.tanh(scores * a["component_scale"])
        return functional.linear(scores, a["encoder_weight"], a["encoder_bias"])

    def decode(self, latent: BatchLatent) -> BatchWeights:
        """Return the main networks' weights of given z; only with `has_latent`."""
        a = self.arrays
        return functional.linear(latent, a["decoder_weight"], a["decoder_bias"])

    def weights(self, edges: BatchEdges) -> BatchWeights:
        """Return every person's main-network weights from Fisher z of their edges."""
        if self.has_latent:
            return self.decode(self.latent(edges))
        x, a = edges, self.arrays
        for i in range(self._n_hidden_layers()):
            x = functional.mish(functional.linear(x, a[f"layer_{i}_weight"], a[f"layer_{i}_bias"]))
        return functional.linear(x, a["weights_weight"], a["weights_bias"])

    def run(self, weights: BatchWeights, stimulus: BatchStimulus) -> MainOutput:
        """Run the main networks from a state of zeros; see `run_main_network`."""
        return run_main_network(weights, stimulus, None, self.config, self.leak)

    def _n_hidden_layers(self) -> int:
        return sum(name.startswith("layer_") and name.endswith("_weight") for name in self.arrays)

    def _check_form(self) -> None:
        names = {"edge_mean", "basis", "encoder_weight", "encoder_bias", "decoder_weight"}
        names |= {"decoder_bias"}
        if not self.has_latent:
            layers = range(self._n_hidden_layers())
            names = {"weights_weight", "weights_bias"}
            names |= {f"layer_{i}_{part}" for i in layers for part in ("weight", "bias")}
        optional = {"component_limit", "component_scale"} if self.has_latent else set()
        if not names <= self.arrays.keys() <= names | optional:
            raise BundleError(
                f"The hypernetwork of bundle {self.bundle.name!r} has a form that gradients are "
                "not known of. Export the bundle again with this version of dtb-runtime."
            )

    @torch.no_grad()
    def _check_parity(self) -> None:
        manifest, rng = self.bundle.manifest, np.random.default_rng(0)
        edges = rng.normal(0, _CHECKED_EDGE_SD, (2, manifest.n_edges)).astype(np.float32)
        stimulus = rng.normal(size=(_CHECKED_STEPS, manifest.n_inputs)).astype(np.float32)
        twins = self.bundle.personalize_edges(edges)
        theirs = np.stack([twin.weights for twin in twins])
        actions, bold, _ = self.bundle.run_main(theirs, stimulus)
        ours = self.weights(torch.tensor(edges, dtype=self.dtype))
        shown = torch.tensor(stimulus, dtype=self.dtype).expand(2, -1, -1)
        # The main network gets the weights that it got there: of other ones it could drift away.
        output = self.run(torch.tensor(theirs, dtype=self.dtype), shown)
        for name, found, expected in (
            ("weights", ours, theirs),
            ("actions", torch.sigmoid(output.action_logits), actions),
            ("BOLD", output.bold, bold),
        ):
            _check_close(self.bundle.name, name, found.double().numpy(), expected)


def _config(bundle: Bundle, leak: Tensor) -> NetworkConfig:
    manifest = bundle.manifest
    return NetworkConfig(
        preset="direct",  # whose settings are those of the main network alone
        n_edges=manifest.n_edges,
        n_bold=manifest.n_bold,
        hidden_size=manifest.hidden_size,
        latent_size=0,
        bold_latents=0,
        n_components=0,
        hypernetwork_sizes=(),
        leak=tuple(leak.double().flatten().tolist()),
        n_inputs=manifest.n_inputs,
        n_actions=manifest.n_actions,
        dropout=0.0,
        bold_stride=manifest.bold_stride,
        action_reading=manifest.action_reading,
    )


def _check_close(
    bundle: str, what: str, found: NDArray[np.float64], expected: NDArray[np.float32]
) -> None:
    most = float(np.abs(found - expected).max(initial=0.0))
    if not most <= TOLERANCE * max(float(np.abs(expected).max(initial=0.0)), 1.0):
        raise BundleError(
            f"PyTorch gives other {what} than the graphs of bundle {bundle!r}: they differ by "
            f"{most:.2g}. Export the bundle again with this version of dtb-runtime."
        )
