"""Make what `dtb-run demo` brings along: the example person's files, and a plan for this person.

    python examples/make_demo.py

Needs PyTorch for the plan. A plan belongs to one bundle, so it has to be made again whenever the
bundle changes; the files are copies of those beside this script.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from dtb_runtime import load_bundle, read_connectome
from dtb_runtime.example_person import BUNDLE, CONNECTOME_FILE, FOLDER, PERSON_FILES, PLAN
from dtb_runtime.gradients import ChangeLimits, plan_finder
from dtb_runtime.participants import participant_id_from
from dtb_runtime.plan import Goal

EXAMPLES = Path(__file__).parent


def main() -> None:
    """Write ``dtb_runtime/example/``."""
    FOLDER.mkdir(exist_ok=True)
    for name in PERSON_FILES:
        shutil.copyfile(EXAMPLES / name, FOLDER / name)
    bundle = load_bundle(BUNDLE, device="cpu")
    connectome = read_connectome(FOLDER / CONNECTOME_FILE)
    goal = Goal.of(bundle, "stroop_effect", "decrease", "0.5sd")
    # One number for each pair of networks, where a plan of all edges would be a megabyte of text.
    found = plan_finder(bundle, [goal]).find(
        connectome,
        ChangeLimits(networks=True),
        participant_id=participant_id_from(FOLDER / CONNECTOME_FILE),
    )
    if not found.is_reached:
        raise RuntimeError(f"the plan reaches {found.plan.share_reached:.0%} of its goal")
    PLAN.write_bytes(found.plan.to_bytes(bundle))
    for path in sorted(FOLDER.iterdir()):
        print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
