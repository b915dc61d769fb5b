"""People in a batch on a GPU, beside the CPU: measured where there is one, kept in a file.

    python benchmarks/speed_gpu.py

It writes `benchmarks/results/speed_gpu.json`; `make bench ARGS=--render` puts it on the page.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from results_claims import table
from results_data import REPOSITORY
from results_data import write as write_file
from speed_inputs import Inputs
from speed_plan import FULL, QUICK, Plan
from speed_timing import Method, rounded, take_turns
from speed_words import Figures, digits

from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.edges import edges_from_correlations
from dtb_runtime.errors import DtbError
from dtb_runtime.inference import Device

FILE = "speed_gpu.json"
"""Beside the figures of the CPU, which are measured on machines without one. An object with
``date`` (YYYY-MM-DD), ``device`` and ``figures``, a list of objects with ``what``, ``value`` and
``unit``."""
FOLDER = "benchmarks/results"
BATCHES = (1, 16, 64, 256)


def read_gpu(folder: Path) -> dict[str, Any] | None:
    """Return the last run on a GPU; None if there never was one."""
    file = folder / FILE
    if not file.is_file():
        return None
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def write(figures: Figures | None) -> str:
    """Return the section about GPUs."""
    if figures is None:
        return "Last real run: never run."
    rows = [
        [each["what"], f"{digits(each['value'])} {each['unit']}"] for each in figures["figures"]
    ]
    said = f"Last real run: {figures['date']}, on {figures['device']}."
    return "\n\n".join((said, table(["", "measured"], rows))) if rows else said


def measure(inputs: Inputs, device: Device, batches: tuple[int, ...]) -> list[dict[str, Any]]:
    """Time both presets' networks, connectomes' edges to outputs of one task, beside the CPU.

    Parameters
    ----------
    inputs : Inputs
    device : {"cuda", "cpu"}
        ``cpu`` only to see that it runs.
    batches : tuple of int
        People at once.

    Raises
    ------
    MissingDependencyError
        ONNX Runtime cannot use the device.
    """
    figures: list[dict[str, Any]] = []
    for preset, folder, people in (
        ("paper", inputs.folders["paper"], inputs.paper_connectomes),
        ("compact", inputs.folders["compact"], inputs.compact_connectomes),
    ):
        there, here = (load_bundle(folder, device=name) for name in (device, "cpu"))
        edges = edges_from_correlations(people)
        several = {n: np.resize(edges, (n, edges.shape[1])) for n in batches}
        methods = {
            str(n): Method(lambda b=there, e=batch: _outputs(b, e, inputs), n)
            for n, batch in several.items()
        }
        methods["cpu"] = Method(lambda b=here, e=several[batches[0]]: _outputs(b, e, inputs))
        found = take_turns(methods, inputs.plan.slow_rounds)
        figures += [
            _figure(
                f"`{preset}`, {'CPU, one person' if name == 'cpu' else f'batch of {name}'}",
                1e3 * timing.spread.median,
                "ms a person",
            )
            for name, timing in found.items()
        ]
        pairs = zip(*(_outputs(b, several[1], inputs) for b in (there, here)), strict=True)
        difference = max(float(np.abs(ours - other).max()) for ours, other in pairs)
        figures.append(_figure(f"`{preset}`, largest difference from the CPU", difference, ""))
    return figures


def _outputs(
    bundle: Bundle, edges: NDArray[np.float32], inputs: Inputs
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    weights = np.stack([twin.weights for twin in bundle.personalize_edges(edges)])
    actions, bold, _ = bundle.run_main(weights, inputs.stimuli[0])
    return actions, bold


def _figure(what: str, value: float, unit: str) -> dict[str, Any]:
    return {"what": what, "value": rounded(value), "unit": unit}


def _device_name() -> str:
    words = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[0]


def main() -> int:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=REPOSITORY, help="below which to write")
    parser.add_argument(
        "--dry-run", action="store_true", help="tiny sizes on the CPU, and nothing is written"
    )
    arguments = parser.parse_args()
    plan: Plan = QUICK if arguments.dry_run else FULL
    with tempfile.TemporaryDirectory() as temporary:
        inputs = Inputs(plan, Path(temporary), Path(sys.prefix))
        device: Device = "cpu" if arguments.dry_run else "cuda"
        try:
            load_bundle(device=device)  # before networks are made that nothing could run
            figures = measure(inputs, device, BATCHES[:2] if arguments.dry_run else BATCHES)
        except DtbError as error:
            print(f"Error: {error}", file=sys.stderr)
            return 1
    if not arguments.dry_run:
        document = {"date": date.today().isoformat(), "device": _device_name(), "figures": figures}
        text = json.dumps(document, indent=1) + "\n"
        write_file(arguments.root / FOLDER / FILE, text.encode())
    print(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
