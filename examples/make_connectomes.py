"""Make the example connectomes: one simulated person for each shipped bundle.

    python examples/make_connectomes.py

Needs no PyTorch. Each is drawn from the same simulated population as the bundle's training people
(the group connectome depends on the seed), but is none of them. Stored as float16: half the size,
and exact enough (5e-4) for a correlation. The .json beside each says that it is simulated.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from dtb_models.simulation import SimulatedCohort
from dtb_runtime import available_bundles


def main() -> None:
    """Write ``sub-example_atlas-<bundle>_connectome.npy`` and its ``.json`` beside this file."""
    for info in available_bundles():
        parcellation = info.manifest.parcellation
        if parcellation is None:
            continue
        person = SimulatedCohort(parcellation, 2, seed=info.manifest.training.seed).participants[1]
        connectome = person.connectome
        if connectome is None:
            raise RuntimeError("simulated people have connectomes")
        path = Path(__file__).parent / f"sub-example_atlas-{info.name}_connectome.npy"
        np.save(path, connectome.correlations.astype(np.float16))
        about = {
            "Description": "Simulated connectome of nobody: an example for the bundle of this name",
            "Simulated": True,
            "Units": "Pearson correlation",
            "Bundle": info.name,
        }
        path.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
