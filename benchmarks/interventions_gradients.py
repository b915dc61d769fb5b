"""Gradients of indicators against central differences in float64, and what they take."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from interventions_inputs import Inputs, Row
from interventions_words import Figures, quantiles
from numpy.typing import NDArray
from results_claims import table

from dtb_models.bundle_network import BundleNetwork
from dtb_models.indicator_tensors import IndicatorTensors
from dtb_runtime.bundle import Bundle
from dtb_runtime.indicator_forecasts import IndicatorForecasts, all_indicators
from dtb_runtime.processors import n_usable
from dtb_runtime.tasks import get_task

STEP = 1e-3
"""Fisher z, on either side; twice that is compared too, and the two extrapolated (Richardson)."""
LIMIT = 1e-4
"""Largest relative error."""
_AT_ONCE = 10  # edges whose differences are computed together


def targets(bundle: Bundle) -> tuple[str, ...]:
    """Every named indicator, and one region's contrast of each task."""
    regions = bundle.manifest.bold_regions
    contrasts = [
        f"contrast:{get_task(task).contrast_name}:{regions[len(regions) // 3]}"
        for task in bundle.manifest.tasks
    ]
    return (*all_indicators(bundle), *contrasts)


def measure(inputs: Inputs) -> dict[str, Any]:
    """Compare gradients of one person, and time those of several."""
    bundle = inputs.loaded
    names = targets(bundle)
    person = inputs.cohort.participants[0]
    connectome = person.connectome
    edges = connectome.edges()

    def one(_: str) -> Row:
        network = BundleNetwork.of(bundle, torch.float64)
        tensors = IndicatorTensors(network, names)
        own = torch.from_numpy(edges.astype(np.float64))
        values, gradients = tensors.gradients(own[None])
        rng = np.random.default_rng(0)
        chosen = rng.choice(len(edges), inputs.sizes.edges, replace=False)
        expected = _central_differences(tensors, own, chosen)
        found = gradients[:, 0].numpy()[:, chosen]
        runtime = IndicatorForecasts(bundle, names).of_edges(edges[None])[0]
        return {
            "names": list(names),
            "relative_errors": (np.abs(found - expected) / np.abs(expected)).tolist(),
            "runtime_differs": (np.abs(runtime - values[0].numpy()) / np.abs(runtime)).tolist(),
        }

    (compared,) = inputs.each("gradients", [person.participant_id], one)
    return {"compared": compared, "seconds": _seconds(inputs), "step": STEP}


def _central_differences(
    tensors: IndicatorTensors, own: torch.Tensor, chosen: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Derivatives of each indicator by some edges, shape (indicators, edges)."""
    found = []
    shifts = (-2 * STEP, -STEP, STEP, 2 * STEP)
    for first in range(0, len(chosen), _AT_ONCE):
        part = chosen[first : first + _AT_ONCE]
        batch = own.repeat(len(part), len(shifts), 1)
        for k, edge in enumerate(part.tolist()):
            for m, shift in enumerate(shifts):
                batch[k, m, edge] += shift
        with torch.no_grad():
            values = tensors.of_edges(batch.flatten(0, 1)).numpy()
        values = values.reshape(len(part), len(shifts), -1)
        near = (values[:, 2] - values[:, 1]) / (2 * STEP)
        far = (values[:, 3] - values[:, 0]) / (4 * STEP)
        found.append((4 * near - far) / 3)
    return np.concatenate(found).T


def _seconds(inputs: Inputs) -> dict[str, list[float]]:
    """What one person's gradients take in float32, on one thread and on all."""
    bundle = inputs.loaded
    names = ("amygdala_response", "reaction_time", "stroop_effect")
    found: dict[str, list[float]] = {}
    people = inputs.cohort.participants[: inputs.sizes.few]
    before = torch.get_num_threads()
    for label, threads in (("one thread", 1), ("all cores", n_usable())):
        torch.set_num_threads(threads)
        tensors = IndicatorTensors(BundleNetwork.of(bundle), names)
        found[label] = []
        for person in people:
            edges = torch.from_numpy(person.connectome.edges())[None]
            begin_s = time.perf_counter()
            tensors.gradients(edges)
            found[label].append(time.perf_counter() - begin_s)
    torch.set_num_threads(before)
    return found


def largest_error(figures: Figures) -> float:
    """Over all indicators and edges."""
    return float(np.max(figures["compared"]["relative_errors"]))


def slowest(figures: Figures) -> float:
    """Median seconds, where that is longest."""
    return max(float(np.median(seconds)) for seconds in figures["seconds"].values())


def write(figures: Figures) -> str:
    """Write the section."""
    compared = figures["compared"]
    errors, differs = compared["relative_errors"], compared["runtime_differs"]
    rows = [
        [f"`{name}`", f"{max(of):.1e}", f"{differ:.1e}"]
        for name, of, differ in zip(compared["names"], errors, differs, strict=True)
    ]
    n_edges = len(errors[0])
    times = "; ".join(
        f"{label} {quantiles(seconds, (0.5, 1.0))} s (median, most)"
        for label, seconds in figures["seconds"].items()
    )
    head = ["indicator", f"largest relative error, {n_edges} edges", "from the lean runtime"]
    return "\n\n".join(
        [
            f"Gradients by Fisher z of {n_edges} random edges of one person, in float64, beside "
            f"central differences (steps of {figures['step']:g} and twice that, extrapolated). The "
            "last column is how far the indicator itself, in float64, is from the runtime's "
            "(float32), relative to it.",
            table(head, rows),
            f"Gradients of three indicators over both tasks, one person, float32: {times}.",
        ]
    )
