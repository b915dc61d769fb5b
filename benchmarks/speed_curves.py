"""What more people, regions, time and units cost: seconds a person on one core."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from results_claims import table
from speed_inputs import Inputs
from speed_networks import made_up_edges, open_graphs, untrained
from speed_timing import Timing
from speed_words import Figures, milliseconds

from dtb_models.config import compact_config, paper_config
from dtb_runtime.bundle_graphs import BundleGraphs
from dtb_runtime.inference import PEOPLE_PER_CALL
from dtb_runtime.tasks import DT_S

PEOPLE, REGIONS, STIMULUS, UNITS = "people", "regions", "stimulus", "units"
AXES = {
    PEOPLE: "people",
    REGIONS: "regions",
    STIMULUS: "seconds of stimulus",
    UNITS: "hidden units",
}
"""Curves by what they are over, as the page calls it."""
MAIN, TOGETHER = "main", "together"
PARTS = {MAIN: "main network", TOGETHER: "hypernetwork and main network"}
"""What is timed of a person."""
_POOL = 64
"""Different people; a curve over more goes round, so that it needs no memory for their edges."""


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """One value of one curve: so many people through one pair of networks."""

    graphs: BundleGraphs
    edges: NDArray[np.float32]
    """Shape (people in the pool, n_edges)."""
    stimulus: NDArray[np.float32]
    n_people: int

    def run(self, n_people: int | None = None) -> tuple[float, float]:
        """Do the work once; return seconds a person of the main network, and of both together.

        Parameters
        ----------
        n_people : int, optional
            Fewer than its own, to warm up.
        """
        n = self.n_people if n_people is None else n_people
        main_s = together_s = 0.0
        for first in range(0, n, PEOPLE_PER_CALL):
            rows = np.arange(first, min(first + PEOPLE_PER_CALL, n)) % len(self.edges)
            edges = self.edges[rows]
            start_s = time.perf_counter()
            _, weights = self.graphs.generate(edges)
            middle_s = time.perf_counter()
            self._run_main(weights)
            end_s = time.perf_counter()
            main_s += end_s - middle_s
            together_s += end_s - start_s
        return main_s / n, together_s / n

    def _run_main(self, weights: NDArray[np.float32]) -> None:
        """Run several people's main networks as scoring does: together, or one by one."""
        if self.graphs.people_per_call > 1:
            self.graphs.run_main(weights, self.stimulus, None)
            return
        for own in weights:
            self.graphs.run_several(own, [self.stimulus])


@dataclass(frozen=True, slots=True)
class Curve:
    """One preset over one axis."""

    axis: str
    preset: str
    values: tuple[float, ...]
    make: Callable[[], Sequence[Point]]
    """Makes a point for each value; its networks are let go before the next curve is made."""


def measure(inputs: Inputs) -> dict[str, Any]:
    """Time every curve, its points in turn."""
    plan = inputs.plan
    found = []
    for curve in _curves(inputs):
        points = curve.make()
        seconds = [([], []) for _ in points]  # type: list[tuple[list[float], list[float]]]
        for point in points:
            point.run(min(point.n_people, PEOPLE_PER_CALL))
        for _ in range(plan.slow_rounds):
            for point, (main, together) in zip(points, seconds, strict=True):
                main_s, together_s = _timed(point, plan.curve_least_s)
                main.append(main_s)
                together.append(together_s)
        found.append(
            {
                "axis": curve.axis,
                "preset": curve.preset,
                "values": list(curve.values),
                MAIN: [Timing(tuple(main)).to_json() for main, _ in seconds],
                TOGETHER: [Timing(tuple(together)).to_json() for _, together in seconds],
            }
        )
    return {
        "curves": found,
        "n_people": plan.n_curve,
        "n_per_call": PEOPLE_PER_CALL,
        "task": inputs.runs[0].task,
    }


def curve_timings(curve: Figures, part: str) -> dict[float, Timing]:
    """Return a curve's timings by value; `part` is one of `PARTS`."""
    found = (Timing.from_json(each) for each in curve[part])
    return dict(zip(curve["values"], found, strict=True))


def write(figures: Figures) -> str:
    """Return the section about cost curves."""
    blocks = [
        f"Milliseconds a person on one core, one run of `{figures['task']}`; "
        f"{figures['n_per_call']} people go through each call of the hypernetwork and of "
        "`compact`'s main network, one through `paper`'s, and where the curve is not over people "
        f"there are {figures['n_people']}. Regions and units need networks of other sizes, "
        "which are untrained: `compact` over regions, `paper` over units. The other curves are of "
        "both presets."
    ]
    for axis, label in AXES.items():
        curves = [curve for curve in figures["curves"] if curve["axis"] == axis]
        header = [label]
        header += [f"`{c['preset']}`: {part}" for c in curves for part in PARTS.values()]
        columns = [curve_timings(c, part) for c in curves for part in PARTS]
        rows = [
            [f"{value:,.0f}", *(milliseconds(column[value].spread) for column in columns)]
            for value in curves[0]["values"]
        ]
        blocks.append(f"Milliseconds a person over {label}:\n\n{table(header, rows)}")
    return "\n\n".join(blocks)


def _curves(inputs: Inputs) -> list[Curve]:
    plan = inputs.plan
    of_bundles = {"paper": inputs.paper_graphs, "compact": inputs.compact_graphs}
    curves = []
    for preset, graphs in of_bundles.items():
        curves.append(Curve(PEOPLE, preset, plan.people, lambda g=graphs: _over_people(inputs, g)))
    for preset, graphs in of_bundles.items():
        curves.append(
            Curve(STIMULUS, preset, plan.stimulus_s, lambda g=graphs: _over_time(inputs, g))
        )
    curves.append(Curve(REGIONS, "compact", plan.regions, lambda: _over_regions(inputs)))
    curves.append(Curve(UNITS, "paper", plan.hidden_sizes, lambda: _over_units(inputs)))
    return curves


def _over_people(inputs: Inputs, graphs: BundleGraphs) -> list[Point]:
    pool = made_up_edges(_POOL, graphs.manifest.n_edges)
    return [Point(graphs, pool, inputs.stimuli[0], n) for n in inputs.plan.people]


def _over_time(inputs: Inputs, graphs: BundleGraphs) -> list[Point]:
    n, edges = inputs.plan.n_curve, made_up_edges(inputs.plan.n_curve, graphs.manifest.n_edges)
    whole = inputs.stimuli[0]
    lengths = (round(seconds / DT_S) for seconds in inputs.plan.stimulus_s)
    # A run that is longer than the study's begins anew.
    return [Point(graphs, edges, np.resize(whole, (k, whole.shape[1])), n) for k in lengths]


def _over_regions(inputs: Inputs) -> list[Point]:
    points = []
    for n_regions in inputs.plan.regions:
        graphs = open_graphs(untrained(compact_config(n_regions * (n_regions - 1) // 2, n_regions)))
        points.append(_point(inputs, graphs))
    return points


def _over_units(inputs: Inputs) -> list[Point]:
    plan, points = inputs.plan, []
    for hidden_size in plan.hidden_sizes:
        config = paper_config(
            plan.n_regions * (plan.n_regions - 1) // 2,
            plan.n_bold,
            hidden_size=hidden_size,
            hypernetwork_sizes=plan.hypernetwork_sizes,
        )
        points.append(_point(inputs, open_graphs(untrained(config))))
    return points


def _point(inputs: Inputs, graphs: BundleGraphs) -> Point:
    edges = made_up_edges(inputs.plan.n_curve, graphs.manifest.n_edges)
    return Point(graphs, edges, inputs.stimuli[0], inputs.plan.n_curve)


def _timed(point: Point, least_s: float) -> tuple[float, float]:
    """Return the means over as many passes as last long enough."""
    passes = []
    end_s = time.perf_counter() + least_s
    while not passes or time.perf_counter() < end_s:
        passes.append(point.run())
    main_s, together_s = np.mean(passes, axis=0)
    return float(main_s), float(together_s)
