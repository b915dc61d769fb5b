"""Make the example trials: what the simulated person of the default bundle's example did.

    python examples/make_events.py

Needs no PyTorch. It is the same simulated person whose connectome `make_connectomes.py` writes, in
the study's own schedules. The .json beside each table says that it is simulated.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from dtb_models.simulation import SimulatedCohort
from dtb_models.tcp_writer import write_connectomes
from dtb_runtime import load_bundle


def main() -> None:
    """Write ``sub-example_task-<run>_events.tsv`` and its ``.json`` beside this file."""
    manifest = load_bundle().manifest
    if manifest.parcellation is None:
        raise RuntimeError("the default bundle has a parcellation")
    cohort = SimulatedCohort(manifest.parcellation, 2, seed=manifest.training.seed)
    person = cohort.participants[1]  # the first has effects opposite to most people's
    with tempfile.TemporaryDirectory() as folder:
        written = write_connectomes(cohort, Path(folder) / "cohort")
        for table in sorted(written.glob(f"{person.participant_id}/func/*_events.tsv")):
            name = table.name.replace(person.participant_id, "sub-example").replace("_run-01", "")
            path = Path(__file__).parent / name
            shutil.copyfile(table, path)
            about = {
                "Description": "Simulated trials and responses of nobody: an example to calibrate "
                "with",
                "Simulated": True,
            }
            path.with_suffix(".json").write_text(
                json.dumps(about, indent=2) + "\n", encoding="utf-8"
            )
            print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
