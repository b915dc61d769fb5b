"""Train variants of the networks' settings and judge them on the same held-out people.

    python benchmarks/ablations.py --work runs/results/ablations --jobs 2

The people are those of the data folder (`DTB_SHARED` or `../shared`), with brains simulated around
their trials; one part in five, by person, is judged and never trained on. Every variant is a
process of its own, and what is finished stays.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ablation_judging import (
    CALIBRATED,
    CONNECTOME,
    NO_TRIALS,
    RULES,
    SHUFFLED,
    Judged,
    judge,
    rules,
)
from ablation_variants import VARIANTS, Length, Variant, train_variant
from results_ablations import METRICS_SHOWN
from results_data import data_folder, write
from results_files import report_bytes

from dtb_models.bootstrap import Figure
from dtb_models.cohort_views import SomePeople
from dtb_models.evaluation_files import JUDGED_FOLDER
from dtb_models.judged_files import judged_tsv, read_judged_trials
from dtb_models.judged_trials import JudgedTrials
from dtb_models.metrics import differences, figures
from dtb_models.protocols import folds
from dtb_models.simulation import SimulatedCohort
from dtb_runtime.parcellation import read_regions_table
from dtb_runtime.summary import package_version

N_PARTS, SEED = 5, 1
"""Of the judged part: the first of so many, drawn with this seed."""
SMOKE = Length(updates=3, paper_epochs=1, direct_epochs=1)
SMALL = {"personal_units": 6}
COMMAND = "python benchmarks/results.py --only ablations"


@cache
def cohort(data: Path) -> SimulatedCohort:
    """Return real people with brains simulated around their trials."""
    regions = read_regions_table(data / "parcellations" / "tcp434_regions.csv")
    return SimulatedCohort(regions, seed=0, behavior_from=data / "tcp")


def parts_of(people: SimulatedCohort) -> tuple[tuple[str, ...], ...]:
    """Return everybody's ids by part; the first is judged."""
    return folds([person.participant_id for person in people.participants], N_PARTS, SEED)


def work_on(variant: Variant, data: Path, folder: Path, length: Length) -> None:
    """Train one variant and write what it forecasts."""
    people = cohort(data)
    parts = parts_of(people)
    trained_on = SomePeople(people, [one for part in parts[1:] for one in part])

    def tell(done: int, total: int, sentence: str) -> None:
        if done % 100 == 0 or done == total:
            print(f"{variant.name} {done}/{total}: {sentence}", file=sys.stderr, flush=True)

    train_variant(
        variant, trained_on, people.parcellation, folder, length, seed=SEED, on_progress=tell
    )
    for mode, table in judge(variant, folder, Judged.of(people.participants, parts), SEED).items():
        write(folder / JUDGED_FOLDER / f"{mode}.tsv", judged_tsv(table))
    write(folder / "finished", b"")


def report(data: Path, work: Path, variants: Sequence[Variant], length: Length) -> dict[str, Any]:
    """Return the figures of all variants, and of rules and controls beside them."""
    people = cohort(data)
    parts = parts_of(people)
    judged = Judged.of(people.participants, parts)
    tables = {variant.name: _tables(work / variant.name) for variant in variants}
    base = tables[variants[0].name]
    beside = rules(judged)
    counts = judged.people.counts()
    return {
        "data": {
            "kind": people.kind,
            "source": "tcp",
            "description": people.description,
            "n_people": len(people.participants),
            "connectomes": "simulated",
        },
        "seed": SEED,
        "parts": N_PARTS,
        "n_trained": sum(len(part) for part in parts[1:]),
        "updates": length.updates,
        "judged": {task: found["judged"] for task, found in counts.items()},
        "variants": {
            variant.name: {
                "meaning": variant.meaning,
                "minutes": float((work / variant.name / "minutes.txt").read_text("utf-8")),
                "modes": {
                    mode: _shown(figures(table))
                    for mode, table in tables[variant.name].items()
                    if mode != SHUFFLED
                },
                "minus_base": {
                    mode: _shown(differences(table, base[mode]))
                    for mode, table in tables[variant.name].items()
                    if mode in base and mode != SHUFFLED and variant is not variants[0]
                },
            }
            for variant in variants
        },
        "rules": {
            mode: {name: _shown(figures(table)) for name, table in found.items()}
            for mode, found in beside.items()
        },
        "controls": {mode: _controls(mode, base) for mode in RULES},
        "command": COMMAND,
        "versions": {"dtb_runtime": package_version()},
    }


def _controls(mode: str, base: Mapping[str, JudgedTrials]) -> dict[str, Any]:
    """Return what stands beside a table: the first variant without, or with, own trials."""
    names = {
        CALIBRATED: {"control/population": NO_TRIALS},
        NO_TRIALS: {"twin/after_trials": CALIBRATED},
        CONNECTOME: {"control/population": NO_TRIALS, "control/shuffled": SHUFFLED},
    }[mode]
    return {name: _shown(figures(base[key])) for name, key in names.items() if key in base}


def _tables(folder: Path) -> dict[str, JudgedTrials]:
    return {
        file.stem: read_judged_trials(file) for file in sorted((folder / JUDGED_FOLDER).iterdir())
    }


def _shown(found: Mapping[str, Figure]) -> dict[str, Any]:
    return {
        name: figure.to_json()
        for name, figure in found.items()
        if name.partition(":")[0] in METRICS_SHOWN
    }


def chosen(*, smoke: bool) -> tuple[tuple[Variant, ...], Length]:
    """Return the variants, and how long they are trained."""
    if not smoke:
        return VARIANTS, Length()
    names = ("base", "no_clocks", "density", "paper", "direct_input")
    return tuple(
        replace(variant, config={**SMALL, **variant.config})
        for variant in VARIANTS
        if variant.name in names
    ), SMOKE


def main() -> int:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of all variants")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    parser.add_argument("--jobs", type=int, default=1, help="variants at a time, a thread each")
    parser.add_argument("--smoke", action="store_true", help="figures that mean nothing")
    parser.add_argument("--variant", help="only this one, in this process, without figures")
    arguments = parser.parse_args()
    data, work = data_folder(), arguments.work
    variants, length = chosen(smoke=arguments.smoke)
    by_name = {variant.name: variant for variant in variants}
    if arguments.variant is not None:
        if arguments.variant not in by_name:
            parser.error(f"--variant is one of {', '.join(by_name)}.")
        work_on(by_name[arguments.variant], data, work / arguments.variant, length)
        return 0
    todo = [name for name in by_name if not (work / name / "finished").exists()]
    words = [sys.executable, __file__, "--work", str(work)]
    words += ["--smoke"] if arguments.smoke else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def run(name: str) -> int:
        return subprocess.run([*words, "--variant", name], env=environment, check=False).returncode

    with ThreadPoolExecutor(arguments.jobs) as pool:
        failed = [name for name, code in zip(todo, pool.map(run, todo), strict=True) if code]
    if failed:
        raise SystemExit(f"{failed[0]} failed, as its message above says. Run this again to go on.")
    found = report_bytes(report(data, work, variants, length))
    if arguments.out is None:
        print(json.dumps(json.loads(found), indent=1))
    else:
        write(arguments.out, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
