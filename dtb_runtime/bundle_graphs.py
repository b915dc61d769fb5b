"""A bundle's ONNX graphs at work: what they are given and what they give is checked each time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import BundleError, DataError, UsageError
from .inference import Device, OrtGraph
from .manifest import Manifest


@dataclass(frozen=True, slots=True, eq=False)
class BundleGraphs:
    """The graphs of one bundle. Immutable; may be used from several threads at once."""

    manifest: Manifest
    hypernetwork: OrtGraph
    decoder: OrtGraph | None
    """None for a bundle without a latent."""
    main: OrtGraph

    @classmethod
    def open(
        cls, manifest: Manifest, contents: Mapping[str, bytes], *, device: Device, threads: int
    ) -> BundleGraphs:
        """Open the graphs among a bundle's files.

        Parameters
        ----------
        manifest : Manifest
            Says which graphs there are, and the length of their axes.
        contents : mapping of str to bytes
            File name to content, already scanned.
        device, threads
            As `OrtGraph` takes them, and it raises what that raises.
        """
        opened = {
            role: OrtGraph(
                contents[spec.file], spec, manifest.axis_lengths, device=device, threads=threads
            )
            for role, spec in manifest.graphs.items()
        }
        return cls(manifest, opened["hypernetwork"], opened.get("decoder"), opened["main"])

    @property
    def provider(self) -> str:
        """Execution provider that runs the main network."""
        return self.main.provider

    def checked_edges(self, edges: ArrayLike) -> NDArray[np.float32]:
        """Edges as the hypernetwork takes them; see `Bundle.personalize_edges`."""
        given = np.asarray(edges)
        if given.dtype.kind not in "fiub" or np.ma.is_masked(edges):
            found = "masked values" if np.ma.is_masked(edges) else f"type {given.dtype}"
            raise DataError(f"Edges must be real numbers, found {found}.")
        values = np.ascontiguousarray(given, dtype=np.float32)
        if values.ndim != 2 or values.shape[1] != self.manifest.n_edges:
            raise DataError(
                f"Bundle {self.manifest.name!r} needs edges of shape "
                f"(people, {self.manifest.n_edges}), found {values.shape}."
            )
        if not np.isfinite(values).all():
            person, edge = np.argwhere(~np.isfinite(values))[0]
            raise DataError(
                f"Edges must be finite, but edge {edge} of person {person} is "
                f"{values[person, edge]} (counted from 0)."
            )
        return values

    def generate(
        self, edges: NDArray[np.float32]
    ) -> tuple[list[NDArray[np.float32] | None], NDArray[np.float32]]:
        """Latents and main-network weights, generated for several people at once.

        Parameters
        ----------
        edges : numpy.ndarray, shape (people, n_edges), float32
            As `checked_edges` returns them.

        Returns
        -------
        latents : list of numpy.ndarray or None
            Shape (latent_size,) each; None for a bundle without a latent.
        weights : numpy.ndarray, shape (people, n_weights)

        Raises
        ------
        BundleError
            A graph fails, or gives numbers that are not finite.
        """
        latents: list[NDArray[np.float32] | None] = [None] * len(edges)
        if self.decoder is None:
            (weights,) = self.hypernetwork.run(edges)
        else:
            # The weights come from the decoder graph although the hypernetwork gives them too: a
            # saved twin is a latent, and loading it must give the same numbers to the last digit.
            codes = self.hypernetwork.run(edges)[0]
            latents = list(codes)
            self._check_finite("hypernetwork.onnx", "latents", codes)
            weights = np.stack([self.decode(code) for code in codes])
        self._check_finite("the hypernetwork", "weights", weights)
        return latents, weights

    def decode(self, latent: NDArray[np.float32]) -> NDArray[np.float32]:
        """Main-network weights of one latent or several; see `Bundle.decode`."""
        if self.decoder is None:
            raise UsageError(
                f"Bundle {self.manifest.name!r} has no latent, so there is nothing to decode."
            )
        (weights,) = self.decoder.run(np.atleast_2d(latent))
        return weights if latent.ndim == 2 else weights.reshape(-1)

    def run_main(
        self,
        weights: NDArray[np.float32],
        stimulus: NDArray[np.float32],
        state: NDArray[np.float32] | None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Actions, BOLD and final state of one person or several; see `Bundle.run_main`."""
        manifest = self.manifest
        lead = (max(len(weights), 1),) if np.ndim(weights) == 2 else ()
        if state is None:
            state = np.zeros((*lead, manifest.hidden_size), dtype=np.float32)
        arrays = []
        for name, array, shape in (
            ("weights", weights, (*lead, manifest.n_weights)),
            ("stimulus", stimulus, (max(len(stimulus), 1), manifest.n_inputs)),
            ("state", state, (*lead, manifest.hidden_size)),
        ):
            arrays.append(np.ascontiguousarray(array, dtype=np.float32))
            if arrays[-1].shape != shape:
                raise DataError(
                    f"{name} must have shape {shape} for bundle {manifest.name!r}, "
                    f"found {np.shape(array)}."
                )
        people = lead or (1,)
        own_weights, own_stimulus, own_state = arrays
        actions, bold, final_state = self.main.run(
            own_weights.reshape(*people, -1), own_stimulus, own_state.reshape(*people, -1)
        )
        n_steps = len(own_stimulus)
        n_frames = -(-n_steps // manifest.bold_stride)
        for name, array, shape in (
            ("actions", actions, (*people, n_steps, manifest.n_actions)),
            ("bold", bold, (*people, n_frames, manifest.n_bold)),
            ("final_state", final_state, (*people, manifest.hidden_size)),
        ):
            if array.shape != shape:
                raise BundleError(
                    f"main.onnx of bundle {manifest.name!r} gave {name} of shape {array.shape}, "
                    f"expected {shape}. Export the bundle again."
                )
            self._check_finite("main.onnx", name, array)
        if lead:
            return actions, bold, final_state
        return actions[0], bold[0], final_state[0]

    def _check_finite(self, file: str, name: str, array: NDArray[np.float32]) -> None:
        if not np.isfinite(array).all():
            raise BundleError(
                f"{file} of bundle {self.manifest.name!r} gave {name} that are not finite, so "
                "there is no forecast. Export the bundle again, or check where it came from."
            )
