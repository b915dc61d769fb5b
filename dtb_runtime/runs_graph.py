"""The main network of one person over several runs at once, where a bundle has a graph for that.

A large recurrent matrix is read from the processor's cache at every step, and that is what a step
costs. Two runs of one person share the reading: they take the time of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .bundle_layout import RECURRENT_ARRAY
from .errors import BundleError
from .inference import OrtGraph, optimized
from .main_weights import MainWeights
from .manifest import Manifest


@dataclass(frozen=True, slots=True, eq=False)
class RunsGraph:
    """The content of ``runs.onnx``, opened anew for every person. Immutable.

    Opening takes about a millisecond: ONNX Runtime lays the person's recurrent matrix out for its
    products; the matrix of an input would be laid out at each of thousands of steps.
    """

    manifest: Manifest
    data: bytes
    """As `optimized` rewrote it, once for all people."""

    @classmethod
    def of(cls, manifest: Manifest, data: bytes) -> RunsGraph:
        """Take up the content of the file, already scanned, and see that it opens.

        Raises
        ------
        BundleError
            ONNX Runtime cannot read it, or its inputs and outputs are not those of the manifest.
        """
        spec = manifest.graphs["runs"]
        OrtGraph(data, spec, manifest.axis_lengths, device="cpu")
        return cls(manifest, optimized(data, spec.file))

    def run(
        self, weights: NDArray[np.float32], stimuli: Sequence[NDArray[np.float32]]
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Actions and BOLD of every run, from a state of zeros.

        Parameters
        ----------
        weights : numpy.ndarray, shape (n_weights,)
        stimuli : sequence of numpy.ndarray, shape (n_steps, n_inputs)
            At least one; they may differ in length.

        Returns
        -------
        list of (actions, bold)
            Shapes (n_steps, n_actions) and (n_frames, n_bold). The numbers of a run do not depend
            on the others, to the last digit.

        Raises
        ------
        BundleError
            The graph cannot be opened, fails, or gives another number of runs.
        """
        manifest, own = self.manifest, MainWeights.split(weights, self.manifest)
        graph = self.open(own.w_hh)
        lengths = [len(stimulus) for stimulus in stimuli]
        together = np.zeros((len(stimuli), max(lengths), manifest.n_inputs), np.float32)
        for row, stimulus in zip(together, stimuli, strict=True):
            row[: len(stimulus)] = stimulus  # what a shorter one goes on to is cut off again
        state = np.zeros((len(stimuli), manifest.hidden_size), np.float32)
        actions, bold, _ = graph.run(
            together, state, own.w_ih, own.b_ih + own.b_hh, own.w_ho, own.b_ho
        )
        for name, array in (("actions", actions), ("bold", bold)):
            if len(array) != len(stimuli):
                raise BundleError(
                    f"runs.onnx of bundle {manifest.name!r} gave {name} of {len(array)} runs, "
                    f"expected {len(stimuli)}. Export the bundle again."
                )
        return [
            (actions[i, :n_steps], bold[i, : manifest.n_frames(n_steps)])
            for i, n_steps in enumerate(lengths)
        ]

    def open(self, w_hh: NDArray[np.float32]) -> OrtGraph:
        """Open the graph with a person's recurrent matrix, shape (hidden, hidden)."""
        return OrtGraph(
            self.data,
            self.manifest.graphs["runs"],
            self.manifest.axis_lengths,
            device="cpu",
            arrays={RECURRENT_ARRAY: w_hh},
            is_optimized=True,
        )
