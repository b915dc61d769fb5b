"""PyTorch against ONNX Runtime: the same people, tasks and schedules through both.

Part of every export. The two compute the same sums in another order, so they differ in the last
digits; over a run of thousands of steps a network that is not stable multiplies that, and then a
forecast would depend on the library. Such a network is not exported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dtb_models.config import NetworkConfig
from dtb_models.hypernetwork import CompactHypernetwork, TwinNetwork
from dtb_runtime.errors import BundleError
from dtb_runtime.inference import OrtGraph
from dtb_runtime.manifest import Manifest
from dtb_runtime.runs_graph import RunsGraph
from dtb_runtime.stimulus import network_input
from dtb_runtime.tasks import TASKS, Task

Outputs = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Actions (people, time, actions) and BOLD (people, frames, regions)."""

N_STEPS = 5000
"""A whole run of either task (4,930 and 5,100 steps)."""
TOLERANCE = 1e-4
"""Largest difference of an action (a probability) or a BOLD value (in SDs)."""
WEIGHT_TOLERANCE = 1e-4
"""Largest difference of a weight or a latent number, relative to the largest of them (at least 1):
they are sums over ten thousands of edges."""
N_PEOPLE = 3
EDGE_SD = 0.25
"""Spread of random edges, Fisher z: about that of real people around their mean."""


@dataclass(frozen=True, slots=True)
class ParityReport:
    """Largest absolute differences between PyTorch and ONNX Runtime."""

    weights: float
    """Of generated weights and latents, relative as for `WEIGHT_TOLERANCE`."""
    actions: float
    bold: float
    n_people: int
    n_runs: int
    """Runs of each person."""
    n_steps: int
    """Steps of each run."""


def check_parity(
    network: TwinNetwork,
    graphs: Mapping[str, bytes],
    manifest: Manifest,
    *,
    n_people: int = N_PEOPLE,
    n_steps: int = N_STEPS,
    seed: int = 0,
) -> ParityReport:
    """Compare a network with its graphs on random people, tasks and schedules.

    Parameters
    ----------
    network : TwinNetwork
        In evaluation mode.
    graphs : mapping of str to bytes
        File content by role.
    manifest : Manifest
        Names the tasks, whose schedules are run as they are and with trials in random order.
    n_people, n_steps : int
        Random people, and steps of each run.
    seed : int

    Raises
    ------
    BundleError
        If actions or BOLD differ by more than 1e-4, or the generated weights do.
    """
    rng = np.random.default_rng(seed)
    ort = {
        role: OrtGraph(graphs[role], spec, manifest.axis_lengths, device="cpu")
        for role, spec in manifest.graphs.items()
        if role != "runs"
    }
    edges = random_edges(network, n_people, rng)
    with torch.no_grad():
        weights = network.weights(torch.from_numpy(edges))
    found_weights = ort["hypernetwork"].run(edges)[-1]
    stimuli = list(random_runs(network.config, manifest.tasks, n_steps, rng))
    expected = [_torch_outputs(network, weights, stimulus) for stimulus in stimuli]
    n_hidden = manifest.hidden_size
    found = [_main_outputs(ort["main"], found_weights, each, n_hidden) for each in stimuli]
    differences = [_differences(*pair) for pair in zip(expected, found, strict=True)]
    if "runs" in graphs:
        several = _runs_outputs(RunsGraph.of(manifest, graphs["runs"]), found_weights, stimuli)
        differences += [_differences(*pair) for pair in zip(expected, several, strict=True)]
    report = ParityReport(
        weights=_weights_difference(network, ort, edges, weights),
        actions=max(actions for actions, _ in differences),
        bold=max(bold for _, bold in differences),
        n_people=n_people,
        n_runs=len(stimuli),
        n_steps=n_steps,
    )
    _require_parity(report, manifest.name)
    return report


def random_edges(
    network: TwinNetwork, n_people: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return edges of made-up people, float32 Fisher z, shape (n_people, n_edges).

    For a compact network they vary along its edge basis as much as its training people did:
    independent noise on ten thousands of edges would average out in the encoder, and everybody
    would get nearly the same weights.
    """
    edges = EDGE_SD * rng.standard_normal((n_people, network.config.n_edges))
    if isinstance(network.hypernetwork, CompactHypernetwork):
        basis = network.hypernetwork.basis.numpy().astype(np.float64)
        basis = basis[np.any(basis != 0, axis=1)]
        scores = rng.standard_normal((n_people, len(basis)))
        # Rows are orthogonal, so this person has exactly these scores, but for the noise.
        edges += scores @ (basis / np.square(basis).sum(axis=1, keepdims=True))
        edges += network.hypernetwork.edge_mean.numpy()
    return edges.astype(np.float32)


def random_runs(
    config: NetworkConfig, tasks: tuple[str, ...], n_steps: int, rng: np.random.Generator
) -> Iterator[NDArray[np.float32]]:
    """Yield network inputs, float32 (n_steps, n_inputs), delayed by one step.

    Each task's own schedule, the same with its trials in random order, and one run of random
    pulses, which is all there is for a network without tasks.
    """
    for name in tasks:
        task = TASKS[name]
        stimulus = task.stimulus(task.schedule())
        yield network_input(_fitted(stimulus, n_steps))
        yield network_input(_fitted(_shuffled_trials(task, stimulus, rng), n_steps))
    yield network_input(_pulses(n_steps, config.n_inputs, rng))


def _shuffled_trials(
    task: Task, stimulus: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Cut a run at the onsets of its trials and put the pieces together in random order."""
    pieces = np.split(stimulus, task.schedule().onset_step)
    order = rng.permutation(len(pieces))
    return np.concatenate([pieces[i] for i in order])


def _fitted(stimulus: NDArray[np.float32], n_steps: int) -> NDArray[np.float32]:
    """Repeat or cut a run to a number of steps."""
    return np.resize(stimulus, (n_steps, stimulus.shape[1])).astype(np.float32)


def _pulses(n_steps: int, n_inputs: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return channels that are on for random stretches of about 2 s, with random heights."""
    stretch = 25
    heights = rng.uniform(-1, 1, (-(-n_steps // stretch), n_inputs))
    heights *= rng.random(heights.shape) < 0.3
    return np.repeat(heights, stretch, axis=0)[:n_steps].astype(np.float32)


def _weights_difference(
    network: TwinNetwork,
    ort: Mapping[str, OrtGraph],
    edges: NDArray[np.float32],
    weights: torch.Tensor,
) -> float:
    pairs = [(weights, ort["hypernetwork"].run(edges)[-1])]
    if "decoder" in ort:
        with torch.no_grad():
            latent = network.latent(torch.from_numpy(edges))
        pairs.append((latent, ort["hypernetwork"].run(edges)[0]))
        pairs.append((weights, ort["decoder"].run(latent.numpy())[0]))
    return max(
        _difference(expected.numpy(), found) / max(1.0, float(expected.abs().max()))
        for expected, found in pairs
    )


def _torch_outputs(
    network: TwinNetwork, weights: torch.Tensor, stimulus: NDArray[np.float32]
) -> Outputs:
    with torch.no_grad():
        output = network.run(weights, torch.from_numpy(stimulus).expand(len(weights), -1, -1))
        return torch.sigmoid(output.action_logits).numpy(), output.bold.numpy()


def _main_outputs(
    main: OrtGraph, weights: NDArray[np.float32], stimulus: NDArray[np.float32], n_hidden: int
) -> Outputs:
    state = np.zeros((len(weights), n_hidden), np.float32)
    actions, bold, _ = main.run(weights, stimulus, state)
    return actions, bold


def _runs_outputs(
    runs: RunsGraph, weights: NDArray[np.float32], stimuli: Sequence[NDArray[np.float32]]
) -> list[Outputs]:
    """Return for each run everybody's outputs, all runs of a person in one call."""
    people = [runs.run(own, stimuli) for own in weights]
    return [
        (np.stack([actions for actions, _ in run]), np.stack([bold for _, bold in run]))
        for run in zip(*people, strict=True)
    ]


def _differences(expected: Outputs, found: Outputs) -> tuple[float, float]:
    """Return the largest differences of actions and BOLD over all people in one run."""
    return _difference(expected[0], found[0]), _difference(expected[1], found[1])


def _difference(expected: NDArray[np.float32], found: NDArray[np.float32]) -> float:
    """Return the largest absolute difference; infinite where shapes differ or numbers are none."""
    if expected.shape != found.shape:
        return float("inf")
    difference = float(np.max(np.abs(expected - found), initial=0.0))
    return difference if np.isfinite(difference) else float("inf")


def _require_parity(report: ParityReport, name: str) -> None:
    limits = {"weights": WEIGHT_TOLERANCE, "actions": TOLERANCE, "bold": TOLERANCE}
    off = [
        f"{what} by {getattr(report, what):.3g} (at most {limit:g})"
        for what, limit in limits.items()
        if not getattr(report, what) <= limit
    ]
    if off:
        raise BundleError(
            f"The bundle {name!r} was not written: PyTorch and ONNX Runtime must agree over "
            f"{report.n_steps} steps, but differ in {', '.join(off)}. A main network that "
            "amplifies rounding does this; train it longer or with a smaller learning rate."
        )
