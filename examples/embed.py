"""A twin inside another program: load the bundle once, forecast many people from several threads.

A made-up study wants to know who of its participants will slow down most in incongruent Stroop
trials, and which of these trials are the hardest for each. The rest of the program would be a web
service or a notebook; it needs numpy and ONNX Runtime, never PyTorch.

    python examples/embed.py                                   # the simulated example participant
    python examples/embed.py --bundle tcp434 sub-*_connectome.csv
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dtb_runtime import Bundle, DtbError, available_bundles, load_bundle, read_connectome

EXAMPLES = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Screening:
    """What the program keeps of one participant."""

    name: str
    stroop_effect_s: float
    hardest_trials: tuple[int, ...]
    """Trials with the lowest chance of a correct response, counted from 1."""
    strangeness: str


def screen(bundle: Bundle, connectome_file: Path, n_hardest: int = 3) -> Screening:
    """Forecast one participant. Safe to call from several threads with the same bundle.

    Raises
    ------
    DtbError
        The file is no connectome of this bundle's regions; the message says why.
    """
    twin = bundle.personalize(read_connectome(connectome_file))
    forecast = twin.forecast("stroop")
    hardest = np.argsort(forecast.trials["p_correct"], kind="stable")[:n_hardest] + 1
    return Screening(
        name=connectome_file.name,
        stroop_effect_s=forecast.indicator("stroop_effect"),
        hardest_trials=tuple(hardest.tolist()),
        strangeness="" if twin.strangeness is None else twin.strangeness.sentence,
    )


def screen_all(bundle: Bundle, files: list[Path], workers: int) -> list[Screening]:
    """Forecast several participants at once: one thread each, since one forecast needs one core."""
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda file: screen(bundle, file), files))


def main() -> int:
    """Screen the participants named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("connectomes", nargs="*", type=Path, help="default: the example")
    parser.add_argument("--bundle", default="tcp434", help="a shipped bundle's name, or a folder")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    files = arguments.connectomes or sorted(EXAMPLES.glob(f"*_atlas-{arguments.bundle}_*.npy"))
    try:
        bundle = load_bundle(arguments.bundle)
        screenings = screen_all(bundle, files, arguments.workers)
    except DtbError as error:  # everything that can be wrong with files and bundles
        shipped = ", ".join(info.name for info in available_bundles()) or "none"
        print(f"{error}\nShipped bundles: {shipped}")
        return error.exit_code
    for warning in bundle.warnings:
        print(f"Warning: {warning}")
    for one in sorted(screenings, key=lambda screening: -screening.stroop_effect_s):
        print(f"{one.name}: Stroop effect {1000 * one.stroop_effect_s:.0f} ms,", end=" ")
        print(f"hardest trials {', '.join(map(str, one.hardest_trials))}. {one.strangeness}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
