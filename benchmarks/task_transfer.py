"""How far what trials tell holds later in the same task, and in another one: real people.

For people that a fold's networks have never seen: learn from the first 196.8 s of both tasks and
forecast the rest; learn from all of one task and forecast the other. Each with several parts of the
evidence (`dtb_runtime.task_transfer`), 1 being all of it. A person's mean response time is held
against the forecast's draws, with the standard error of the measured mean added to their spread.

    python benchmarks/results.py --only tcp_calibrated   # trains the folds
    python benchmarks/task_transfer.py --folds 1,2       # half an hour on one processor
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from results_data import REPOSITORY, data_folder

from dtb_models.cohorts import Run
from dtb_models.protocols import HALF_S
from dtb_models.tcp import TcpCohort
from dtb_runtime import Twin, load_bundle
from dtb_runtime.observed_run import ObservedRun
from dtb_runtime.task_transfer import in_part

LATER_PARTS, ELSEWHERE_PARTS = (1.0, 0.98, 0.95, 0.9), (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.35, 0.0)
LEAST_ANSWERED, LEAST_RIGHT = 8, 0.6
NORMAL_95 = 1.6448536269514722


@dataclass(frozen=True, slots=True)
class Person:
    """One person's mean response time in a task, forecast and measured, in seconds."""

    measured_s: float
    error_s: float
    """Standard error of what was measured."""
    forecast_s: float
    spread_s: float
    """SD over the draws of the forecast mean."""
    n_covered: int
    """Trials inside their own 90 % interval."""
    n_trials: int


def judged(twin: Twin, part: float, run: Run, begin_s: float) -> Person | None:
    """Forecast one run from a part of what the twin has learned; None with too few trials."""
    if twin.prior is None or twin.posterior is None:
        raise SystemExit("These networks cannot learn from trials.")
    # A twin that remembers no trial takes its posterior as it is.
    known = in_part(twin.prior, twin.posterior, part)
    latent = known.mean.astype(np.float32)
    own = replace(
        twin, posterior=known, latent=latent, weights=twin.bundle.decode(latent), observed=()
    )
    seen = run.responses
    later = run.events.onset_s >= begin_s
    use = seen.usable & ~np.isnan(seen.response_time_s) & later
    if use.sum() < LEAST_ANSWERED or seen.correct[seen.usable & later].mean() <= LEAST_RIGHT:
        return None
    forecast = own.forecast(run.task, run.events)
    times = seen.response_time_s[use]
    trials = {name: forecast.trials[name][use] for name in forecast.trials}
    inside = (times >= trials["response_time_low"]) & (times <= trials["response_time_high"])
    draws = [draw.values[f"reaction_time:{run.task}"] for draw in forecast.draw_indicators]
    return Person(
        float(times.mean()),
        float(times.std(ddof=1) / np.sqrt(len(times))),
        float(trials["response_time"].mean()),
        float(np.std(draws)),
        int(inside.sum()),
        len(times),
    )


def of_fold(
    folder: Path, cohort: TcpCohort, trained_on: set[str]
) -> Iterator[tuple[tuple[str, str, float], Person]]:
    """Judge everybody whom a fold has not seen: kind, task and part, with each person."""
    anybody = load_bundle(folder / "bundle", device="cpu").population_twin()
    for one in cohort.participants:
        runs = {run.task: run for run in reversed(one.runs)}  # the first of each task
        if one.participant_id in trained_on or len(runs) < 2:
            continue
        seen = {task: ObservedRun(run.events, run.responses) for task, run in runs.items()}
        halves = [half for run in seen.values() if (half := run.until(HALF_S)) is not None]
        twin = anybody.calibrate(halves)
        for part in LATER_PARTS:
            for task, run in runs.items():
                if (person := judged(twin, part, run, HALF_S)) is not None:
                    yield ("later", task, part), person
        for task, run in runs.items():
            twin = anybody.calibrate([other for name, other in seen.items() if name != task])
            for part in ELSEWHERE_PARTS:
                if (person := judged(twin, part, run, 0.0)) is not None:
                    yield ("elsewhere", task, part), person
        print(f"{folder.name}: {one.participant_id}", flush=True)


def row(key: tuple[str, str, float], people: list[Person]) -> str:
    """Return a line of figures."""
    columns = np.array([[p.measured_s, p.error_s, p.forecast_s, p.spread_s] for p in people]).T
    measured, error, forecast, spread = columns
    off, sd = forecast - measured, np.hypot(spread, error)
    covered = np.mean(np.abs(off) < NORMAL_95 * sd)
    log_loss = np.mean(np.log(sd) + (off / sd) ** 2 / 2)
    trials = sum(p.n_covered for p in people) / sum(p.n_trials for p in people)
    kind, task, part = key
    r, rmse_s = np.corrcoef(measured, forecast)[0, 1], np.sqrt(np.mean(off**2))
    return (
        f"{kind:10s} {task:7s} {part:5.2f} {len(people):4d} {r:6.3f} {rmse_s:7.4f} "
        f"{covered:8.3f} {trials:8.3f} {log_loss:9.3f}"
    )


def main() -> None:
    """Judge the folds named and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=REPOSITORY / "runs" / "results")
    parser.add_argument("--folds", default="1,2", help="numbers, separated by commas")
    arguments = parser.parse_args()
    folds = arguments.work / "tcp_calibrated" / "folds"
    if not (folds / "plan.json").is_file():
        raise SystemExit(f"There are no folds in {folds}: run results.py --only tcp_calibrated.")
    plan = json.loads((folds / "plan.json").read_text(encoding="utf-8"))["folds"]
    cohort = TcpCohort(data_folder() / "tcp")
    found: dict[tuple[str, str, float], list[Person]] = defaultdict(list)
    for number in map(int, arguments.folds.split(",")):
        trained_on = set(plan[number - 1]["train_on"])
        for key, person in of_fold(folds / f"fold-{number}", cohort, trained_on):
            found[key].append(person)
    print("kind       task     part    n      r  RMSE s  covers 90 % of means, of trials, log loss")
    for key in sorted(found, key=lambda each: (each[0], each[1], -each[2])):
        print(row(key, found[key]))


if __name__ == "__main__":
    main()
