"""Measure what taking regions from the cohort (`--impute cohort`) costs, where the truth is known.

Connectomes of held-out simulated people (and of real ones with `--data`) lose regions at random and
are imputed. How far their latent is then from that of the whole connectome stands beside how far it
may be by the twin's wider distribution.

    python benchmarks/imputation.py
    python benchmarks/imputation.py --data ../shared/data/hcp_rest --bundle glasser360
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dtb_models.simulation import SimulatedCohort
from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.connectome import Connectome
from dtb_runtime.connectome_file import read_connectome
from dtb_runtime.errors import DtbError

SHARES = (0.005, 0.01, 0.03, 0.05)
Z_90 = 1.6449


def connectomes(bundle: Bundle, data: Path | None, n_people: int) -> Iterator[Connectome]:
    """Whole connectomes: of people in a folder, or of people simulated and never trained on."""
    parcellation = bundle.manifest.parcellation
    if parcellation is None:
        raise SystemExit(f"Bundle {bundle.name} has no regions.")
    if data is None:
        cohort = SimulatedCohort(parcellation, n_people, bundle.manifest.training.seed)
        yield from (person.connectome for person in cohort.participants)
        return
    for path in sorted(data.glob("sub-*/*_timeseries.npy"))[:n_people]:
        yield read_connectome(path, timeseries=True)


def with_gaps(connectome: Connectome, regions: NDArray[np.intp]) -> Connectome:
    """The connectome without data for some regions."""
    gaps = connectome.correlations.astype(np.float64)
    gaps[regions], gaps[:, regions] = np.nan, np.nan
    np.fill_diagonal(gaps, 1.0)
    return Connectome.from_matrix(gaps, labels=connectome.labels, may_impute=True)


def measure(bundle: Bundle, whole: list[Connectome], share: float) -> dict[str, float]:
    """What imputing this share of regions does, over people."""
    rng = np.random.default_rng(0)
    z_scores, widening, moves = [], [], []
    for connectome in whole:
        n = connectome.n_regions
        regions = rng.choice(n, size=max(1, int(share * n)), replace=False)
        truth = bundle.personalize(connectome)
        twin = bundle.personalize(with_gaps(connectome, regions))
        if truth.latent is None or twin.latent is None or truth.prior is None or twin.prior is None:
            raise SystemExit(f"Bundle {bundle.name} has no distribution of latents.")
        wider = twin.prior.covariance - truth.prior.covariance
        off = (twin.latent - truth.latent).astype(np.float64)
        z_scores.append(off / np.sqrt(np.diag(wider)))
        widening.append(np.sqrt(np.trace(twin.prior.covariance) / np.trace(truth.prior.covariance)))
        moves.append(np.sqrt(np.mean(off**2 / np.diag(truth.prior.covariance))))
    z = np.array(z_scores)
    return {
        "regions": max(1, int(share * whole[0].n_regions)),
        "off_in_sd_of_the_twin": float(np.mean(moves)),
        "largest_off": float(np.max(moves)),
        "rms_off_in_sd_added": float(np.sqrt(np.mean(z**2))),
        "covered_by_90": float(np.mean(np.abs(z) <= Z_90)),
        "sd_of_the_twin_times": float(np.mean(widening)),
    }


def main() -> int:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", default="tcp434")
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--data", type=Path, help="folder of real people's time series")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        bundle = load_bundle(arguments.bundle, device="cpu", threads=1)
        people = connectomes(bundle, arguments.data, arguments.people)
        whole = [replace(bundle.aligned(each), notes=()) for each in people]
    except DtbError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    found = [measure(bundle, whole, share) for share in SHARES]
    if arguments.json:
        print(json.dumps({"bundle": bundle.name, "people": len(whole), "figures": found}))
        return 0
    kind = "simulated" if arguments.data is None else "real"
    for row in found:  # rows of the table in docs/files.md
        print(
            f"| {len(whole)} {kind} people, `{bundle.name}` | {row['regions']:.0f} | "
            f"{row['off_in_sd_of_the_twin']:.3f}, {row['largest_off']:.3f} | "
            f"{row['covered_by_90']:.0%} | {row['sd_of_the_twin_times']:.4f} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
