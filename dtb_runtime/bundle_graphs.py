"""A bundle's ONNX graphs at work: what they are given and what they give is checked each time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .errors import BundleError, UsageError
from .graph_checks import GraphChecks
from .inference import CUDA, PEOPLE_PER_CALL, PEOPLE_PER_CALL_CUDA, Device, OrtGraph
from .manifest import Manifest
from .processors import n_usable
from .runs_graph import RunsGraph

STEPS_PER_CALL = 500
"""Steps of the main network in one call, which keeps everybody's hidden states at all of them."""
_CHECKED_STEPS = 700
"""Steps over which a graph of runs is compared with the main graph."""
_LARGE_BYTES = 2**25
"""A larger hypernetwork is worth the threads: one person's pass is the reading of it."""


@dataclass(frozen=True, slots=True, eq=False)
class BundleGraphs:
    """The graphs of one bundle. Immutable; may be used from several threads at once."""

    manifest: Manifest
    hypernetwork: OrtGraph
    decoder: OrtGraph | None
    """None for a bundle without a latent."""
    main: OrtGraph
    runs: RunsGraph | None = None
    """None for a bundle with a latent, and on a GPU."""

    @classmethod
    def open(
        cls,
        manifest: Manifest,
        contents: Mapping[str, bytes],
        *,
        device: Device,
        threads: int | None,
    ) -> BundleGraphs:
        """Open the graphs among a bundle's files.

        Parameters
        ----------
        manifest : Manifest
            Says which graphs there are, and the length of their axes.
        contents : mapping of str to bytes
            File name to content, already scanned.
        device
            As `OrtGraph` takes it, and it raises what that raises.
        threads
            Of the hypernetwork, as `load_bundle` takes them.
        """
        large = len(contents[manifest.graphs["hypernetwork"].file]) > _LARGE_BYTES
        of_hypernetwork = threads or (n_usable() if large else 1)
        opened = {
            role: OrtGraph(
                contents[spec.file],
                spec,
                manifest.axis_lengths,
                device=device,
                threads=of_hypernetwork if role == "hypernetwork" else 1,
            )
            for role, spec in manifest.graphs.items()
            if role != "runs"
        }
        graphs = cls(manifest, opened["hypernetwork"], opened.get("decoder"), opened["main"])
        if "runs" not in manifest.graphs:
            return graphs
        if graphs.provider == CUDA:  # which takes many people together, each with a matrix
            return graphs
        runs = RunsGraph.of(manifest, contents[manifest.graphs["runs"].file])
        graphs._check_same(runs)
        return replace(graphs, runs=runs)

    @property
    def checks(self) -> GraphChecks:
        """Of what they are given, and what they give."""
        return GraphChecks(self.manifest)

    @property
    def provider(self) -> str:
        """Execution provider that runs the main network."""
        return self.main.provider

    @property
    def people_per_call(self) -> int:
        """How many people's main networks to run at once; see `Bundle.people_per_call`."""
        if self.provider == CUDA:
            return PEOPLE_PER_CALL_CUDA
        return PEOPLE_PER_CALL if self.runs is None else 1

    def generate(
        self, edges: NDArray[np.float32]
    ) -> tuple[list[NDArray[np.float32] | None], NDArray[np.float32]]:
        """Latents and main-network weights, generated for several people at once.

        Parameters
        ----------
        edges : numpy.ndarray, shape (people, n_edges), float32
            As `GraphChecks.edges` returns them.

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
            # One person at a time, for the same reason: see `latents`.
            latents = list(self.latents(edges))
            weights = np.stack([self.decode(latent) for latent in latents if latent is not None])
        self.checks.finite("the hypernetwork", "weights", weights)
        return latents, weights

    def latents(self, edges: NDArray[np.float32]) -> NDArray[np.float32]:
        """Latents of several people, without their weights; for a bundle with a latent.

        Parameters
        ----------
        edges : numpy.ndarray, shape (people, n_edges), float32
            As for `generate`.

        Returns
        -------
        numpy.ndarray, shape (people, latent_size)

        Raises
        ------
        BundleError
            The graph fails, or gives numbers that are not finite.
        """
        # One person at a time: with arrays in float16 ONNX Runtime takes another way for several,
        # to other last digits, and it saves nothing.
        found = np.stack([self.hypernetwork.run(each[None])[0][0] for each in edges])
        self.checks.finite("hypernetwork.onnx", "latents", found)
        return found

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
        own_weights = self.checks.given("weights", weights, (*lead, manifest.n_weights))
        own_stimulus = self.checks.given(
            "stimulus", stimulus, (max(len(stimulus), 1), manifest.n_inputs)
        )
        own_state = self.checks.given("state", state, (*lead, manifest.hidden_size))
        people = lead or (1,)
        actions, bold, final_state = self._in_parts(
            own_weights.reshape(*people, -1), own_stimulus, own_state.reshape(*people, -1)
        )
        n_steps = len(own_stimulus)
        n_frames = manifest.n_frames(n_steps)
        self.checks.output("main.onnx", "actions", actions, (*people, n_steps, manifest.n_actions))
        self.checks.output("main.onnx", "bold", bold, (*people, n_frames, manifest.n_bold))
        self.checks.output("main.onnx", "final_state", final_state, (*people, manifest.hidden_size))
        if lead:
            return actions, bold, final_state
        return actions[0], bold[0], final_state[0]

    def _check_same(self, runs: RunsGraph) -> None:
        """See that a graph of runs does what the main graph does.

        ONNX Runtime says nothing where the array that a person's matrix replaces is not there.
        """
        manifest, rng = self.manifest, np.random.default_rng(0)
        # So small that rounding does not grow from step to step.
        scale = manifest.hidden_size**-0.5
        weights = rng.normal(0, scale, manifest.n_weights).astype(np.float32)
        stimuli = [
            rng.normal(size=(n_steps, manifest.n_inputs)).astype(np.float32)
            for n_steps in (_CHECKED_STEPS, _CHECKED_STEPS // 2 + 1, 1)
        ]
        several = self._checked_runs(runs.run(weights, stimuli), stimuli)
        for found, stimulus in zip(several, stimuli, strict=True):
            expected = self.run_main(weights, stimulus, None)[:2]
            for name, ours, main in zip(("actions", "bold"), found, expected, strict=True):
                if not np.allclose(ours, main, atol=1e-4):
                    raise BundleError(
                        f"runs.onnx of bundle {manifest.name!r} gives other {name} than "
                        "main.onnx. Export the bundle again."
                    )

    def _checked_runs(
        self,
        found: list[tuple[NDArray[np.float32], NDArray[np.float32]]],
        stimuli: Sequence[NDArray[np.float32]],
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        manifest = self.manifest
        for (actions, bold), stimulus in zip(found, stimuli, strict=True):
            n_steps, n_frames = len(stimulus), manifest.n_frames(len(stimulus))
            self.checks.output("runs.onnx", "actions", actions, (n_steps, manifest.n_actions))
            self.checks.output("runs.onnx", "bold", bold, (n_frames, manifest.n_bold))
        return found

    def _in_parts(
        self,
        weights: NDArray[np.float32],
        stimulus: NDArray[np.float32],
        state: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Run part after part of the time, each going on from the state of the one before."""
        stride = self.manifest.bold_stride
        n_steps = max(STEPS_PER_CALL // stride, 1) * stride  # a part begins with a frame
        actions, bold = [], []
        for first in range(0, len(stimulus), n_steps):
            *outputs, state = self.main.run(weights, stimulus[first : first + n_steps], state)
            actions.append(outputs[0])
            bold.append(outputs[1])
        return np.concatenate(actions, axis=1), np.concatenate(bold, axis=1), state

    def run_several(
        self, weights: NDArray[np.float32], stimuli: Sequence[NDArray[np.float32]]
    ) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Actions and BOLD of one person in several runs; see `Bundle.run_several`."""
        if self.runs is None or not len(stimuli):
            return [self.run_main(weights, stimulus, None)[:2] for stimulus in stimuli]
        manifest = self.manifest
        own = self.checks.given("weights", weights, (manifest.n_weights,))
        given = [
            self.checks.given("stimulus", each, (max(len(each), 1), manifest.n_inputs))
            for each in stimuli
        ]
        return self._checked_runs(self.runs.run(own, given), given)
