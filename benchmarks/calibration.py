"""Time `Twin.calibrate`: people drawn from a bundle's prior, both tasks' first halves each.

Every person is a draw from the population, does both default schedules until 196.8 s (the half of a
run that the study's own analysis trains on) and is then looked for, from no connectome. One thread.
The budget is 5 s a person.

    python benchmarks/calibration.py
    python benchmarks/calibration.py --bundle DIR --people 20 --json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.errors import DtbError
from dtb_runtime.observed_run import ObservedRun
from dtb_runtime.recorded_responses import Responses
from dtb_runtime.responses import read_hazards
from dtb_runtime.stimulus import network_input
from dtb_runtime.tasks import get_task

LIMIT_S = 5.0
HALF_S = 196.8


@dataclass(frozen=True, slots=True)
class Person:
    """What finding one person took and gave."""

    wall_s: float
    n_trials: int
    steps: int
    converged: bool
    effective_draws: float


def observe(bundle: Bundle, weights: NDArray[np.float32], seed: int) -> list[ObservedRun]:
    """Let a network do the first half of every task of its bundle."""
    runs = []
    for number, name in enumerate(bundle.manifest.tasks):
        task = get_task(name)
        events = task.schedule()
        actions, _, _ = bundle.run_main(weights, network_input(task.stimulus(events)))
        hazards = read_hazards(actions, events, len(task.options), bundle.manifest.dt_s)
        option, time_s = hazards.sample(np.random.default_rng([seed, number]))
        answered = ~np.isnan(time_s)
        responses = Responses(
            time_s, answered & (option == events.correct_option), ~answered | (time_s >= 0.2)
        )
        half = ObservedRun(events, responses).until(HALF_S)
        if half is not None:
            runs.append(half)
    return runs


def measure(bundle: Bundle, n_people: int) -> list[Person]:
    """Draw people and look for each of them."""
    anybody = bundle.population_twin()
    people = []
    for number, weights in enumerate(bundle.decode(anybody.draws(n_people))):
        runs = observe(bundle, weights, seed=number)
        start_s = time.perf_counter()
        found = anybody.calibrate(runs).calibration
        wall_s = time.perf_counter() - start_s
        assert found is not None
        people.append(
            Person(wall_s, found.n_trials, found.steps, found.converged, found.effective_draws)
        )
    return people


def main() -> int:
    """Run the benchmark; 0 when the median is within the budget, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", default="tcp434")
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        people = measure(load_bundle(arguments.bundle, device="cpu"), arguments.people)
    except DtbError as error:
        parser.error(str(error))
    median_s = statistics.median(person.wall_s for person in people)
    slowest_s = max(person.wall_s for person in people)
    if arguments.json:
        figures = {
            "bundle": arguments.bundle,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "people": [asdict(person) for person in people],
            "median_wall_s": median_s,
            "slowest_wall_s": slowest_s,
            "limit_wall_s": LIMIT_S,
            "within_limits": median_s < LIMIT_S,
        }
        print(json.dumps(figures, indent=2))
    else:
        print("person  wall (s)  trials  steps  draws worth")
        for number, person in enumerate(people, 1):
            print(
                f"{number:6}  {person.wall_s:8.2f}  {person.n_trials:6}  {person.steps:5}  "
                f"{person.effective_draws:11.0f}{'' if person.converged else '  no end found'}"
            )
        print(f"median  {median_s:8.2f}\nlimit   {LIMIT_S:8.2f}")
    return 0 if median_s < LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
