"""Both networks on their own, on one core: the hypernetwork, and the recurrence and its floor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from results_claims import table
from speed_floor import (
    COMPILER,
    FLAGS,
    Floor,
    compile_floor,
    largest_difference,
    states_in_float64,
)
from speed_inputs import Inputs, torch_threads
from speed_networks import made_up_edges
from speed_paper_way import PaperWay
from speed_timing import Method, ratio, rounded, take_turns
from speed_words import Figures, milliseconds, small, times, timings

RUNTIME, RUNTIME_TWO, FLOOR, FLOOR_TWO = "runtime", "runtime_two", "floor", "floor_two"


def measure_hypernetwork(inputs: Inputs) -> dict[str, Any]:
    """Time edges to weights: one person, and a batch per person."""
    n, plan = inputs.plan.hypernetwork_batch, inputs.plan
    way = PaperWay(inputs.network)
    torch_threads(1)
    methods: dict[str, Method] = {}
    for preset, graphs in (("paper", inputs.paper_graphs), ("compact", inputs.compact_graphs)):
        edges = made_up_edges(n, graphs.manifest.n_edges)
        for people in (1, n):
            methods[f"{preset}_{people}"] = Method(
                lambda g=graphs, e=edges[:people]: g.generate(e), people
            )
    tensors = torch.from_numpy(made_up_edges(n, inputs.network.config.n_edges))
    for people in (1, n):
        methods[f"torch_{people}"] = Method(
            lambda e=tensors[:people]: _without_gradient(way, e), people
        )
    found = take_turns(methods, plan.rounds, least_s=plan.least_s)
    return {
        "timings": {name: timing.to_json() for name, timing in found.items()},
        "n_batch": n,
        "n_bytes": {
            preset: (folder / "hypernetwork.onnx").stat().st_size
            for preset, folder in inputs.folders.items()
        },
    }


@torch.no_grad()
def _without_gradient(way: PaperWay, edges: torch.Tensor) -> torch.Tensor:
    weights: torch.Tensor = way.hypernetwork(edges)
    return weights


def measure_recurrence(inputs: Inputs) -> dict[str, Any]:
    """Time the paper preset's main network, one sequence, beside the same recurrence in C."""
    plan, graphs = inputs.plan, inputs.paper_graphs
    floor = compile_floor(inputs.folder)
    _, (weights,) = graphs.generate(made_up_edges(1, graphs.manifest.n_edges))
    stimuli = inputs.stimuli
    methods = {
        RUNTIME: Method(lambda: graphs.run_several(weights, stimuli[:1])),
        RUNTIME_TWO: Method(lambda: graphs.run_several(weights, stimuli[:2]), 2),
    }
    found: dict[str, Any] = {
        "n_units": graphs.manifest.hidden_size,
        "n_steps": len(stimuli[0]),
        "left_out": None,
    }
    if floor is None:
        found["left_out"] = f"the floor, since there is no C compiler ({COMPILER}) here."
    else:
        extra, differences = floor_methods(floor, weights, stimuli, graphs.manifest.hidden_size)
        methods |= extra
        found |= {
            "differences": {name: rounded(value) for name, value in differences.items()},
            "lanes": floor.lanes,
            "flags": list(FLAGS),
        }
    timings_found = take_turns(methods, plan.rounds, least_s=plan.least_s)
    return found | {"timings": {name: timing.to_json() for name, timing in timings_found.items()}}


def floor_methods(
    floor: Floor,
    weights: NDArray[np.float32],
    stimuli: Sequence[NDArray[np.float32]],
    n_units: int,
) -> tuple[dict[str, Method], dict[str, float]]:
    """Return the floor's methods for one network, checked against float64, and their differences.

    Parameters
    ----------
    floor : Floor
    weights : ndarray, shape (n_weights,)
        Flat, as the runtime has them.
    stimuli : sequence of ndarray, shape (time, n_inputs)
        The first is run alone, the first two together.
    n_units : int
    """
    n_inputs = stimuli[0].shape[1]
    w_ih, w_hh, b_ih, b_hh = np.split(
        weights[: n_units * (n_inputs + n_units + 2)],
        np.cumsum([n_units * n_inputs, n_units * n_units, n_units]),
    )
    matrix = w_hh.reshape(n_units, n_units)
    drives = [
        (stimulus @ w_ih.reshape(n_units, n_inputs).T + (b_ih + b_hh)).astype(np.float32)
        for stimulus in stimuli[:2]
    ]
    references = [states_in_float64(matrix, drive) for drive in drives]
    one, two = floor.prepare(matrix, drives[:1]), floor.prepare(matrix, drives)
    differences = {
        FLOOR: largest_difference(one, references[:1]),
        FLOOR_TWO: largest_difference(two, references),
    }
    return {FLOOR: Method(one), FLOOR_TWO: Method(two, 2)}, differences


def write_hypernetwork(figures: Figures) -> str:
    """Return the section about the hypernetwork."""
    found, n = timings(figures), figures["n_batch"]
    names = {
        "paper": "`paper`, ONNX Runtime",
        "torch": "`paper`, PyTorch",
        "compact": "`compact`, ONNX Runtime",
    }
    rows = [
        [
            label,
            milliseconds(found[f"{name}_1"].spread),
            milliseconds(found[f"{name}_{n}"].spread),
            times(ratio(found[f"{name}_1"], found[f"{name}_{n}"])),
        ]
        for name, label in names.items()
    ]
    size = figures["n_bytes"]
    return "\n\n".join(
        (
            "Edges to all weights of a main network, on one core. Its file has "
            f"{size['paper'] / 1e6:.1f} MB in the preset `paper`, {size['compact'] / 1e6:.1f} MB "
            "in `compact`. One person's pass is the reading of that from memory, which a batch "
            "shares.",
            table(
                ["", "ms, one person", f"ms a person, batch of {n}", "one person takes"],
                rows,
            ),
        )
    )


def write_recurrence(figures: Figures) -> str:
    """Return the section about the main network and its floor."""
    found = timings(figures)
    names = {
        RUNTIME: "runtime: graph opened with the person's matrix, inputs, recurrence, readouts",
        RUNTIME_TWO: "runtime, two sequences together, each",
        FLOOR: "floor: the recurrence alone",
        FLOOR_TWO: "floor, two sequences together, each",
    }
    rows = [
        [
            names[name],
            milliseconds(timing.spread),
            times(ratio(timing, found[FLOOR])) if FLOOR in found else "",
            small(figures["differences"][name]) if name in figures.get("differences", {}) else "",
        ]
        for name, timing in found.items()
    ]
    header = ["", "ms [quartiles]", "beside the floor", "off from float64 by"]
    said = (
        f"One sequence of {figures['n_steps']:,} steps through {figures['n_units']} tanh units, on "
        "one core in float32. "
    )
    if figures["left_out"] is not None:
        return f"{said}Left out: {figures['left_out']}\n\n{table(header, rows)}"
    said += (
        "The floor is the same recurrence in hand-written C (`benchmarks/speed_floor.c`, "
        f"`{' '.join((COMPILER, *figures['flags']))}`, vectors of {figures['lanes']} numbers), "
        "checked against numpy in float64 before it is timed. For a matrix times one vector ONNX "
        "Runtime's kernel adds into two registers in turn, so each addition waits for the one "
        "before it; the floor has more registers under way and never waits. Two sequences fill "
        "each other's waits, and so both tasks of a person are run together. What else was "
        "tried: [a person's runs share a matrix]"
        "(decisions/2026-11-22-runs-of-a-person-share-a-matrix.md)."
    )
    return f"{said}\n\n{table(header, rows)}"
