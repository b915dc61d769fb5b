"""Plans for real people's connectomes, as far as their regions allow."""

from __future__ import annotations

import re
import time
from typing import Any

from interventions_inputs import Inputs, Row
from interventions_people import is_possible, of_tried, reached, share_beyond, share_within
from interventions_words import Figures, middle, percent, quantiles
from results_claims import table
from results_data import data_folder

from dtb_models.plan_search import PlanSearch
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.connectome_file import read_connectome
from dtb_runtime.intervention import try_plan
from dtb_runtime.plan import Goal

SIZE_SD = 0.5
_SERIES = re.compile(r"sub-[^_]+")


def measure(inputs: Inputs) -> dict[str, Any]:
    """Plan for everybody whose resting series lie there."""
    bundle = load_bundle(inputs.real_bundle, device="cpu", threads=1)
    labels = bundle.manifest.bold_regions
    area = next((label for label in labels if "FFC" in label), labels[0])  # fusiform face complex
    aims = (
        ("reaction_time", "decrease", f"contrast:face_shape:{area}"),
        (f"contrast:face_shape:{area}", "decrease", "reaction_time"),
        ("stroop_effect", "decrease", "reaction_time"),
    )
    files = {
        match[0]: path
        for path in sorted((data_folder() / "hcp_rest").rglob("*_timeseries.npy"))
        if (match := _SERIES.search(path.name))
    }
    names = sorted(files)[: max(2, inputs.sizes.people)]
    found: dict[str, Any] = {"bundle": bundle.name, "aims": []}
    for target, direction, hold in aims:
        goal = Goal.of(bundle, target, direction, f"{SIZE_SD}sd")  # type: ignore[arg-type]
        search = PlanSearch(bundle, [goal], [hold])

        def one(name: str, search: PlanSearch = search, goal: Goal = goal, hold: str = hold) -> Row:
            connectome = read_connectome(files[name], timeseries=True)
            begin_s = time.perf_counter()
            plan = search.find(connectome, participant_id=name)
            seconds = time.perf_counter() - begin_s
            tried = try_plan(
                bundle,
                connectome,
                plan.plan,
                changed=plan.correlations,
                shams=inputs.sizes.shams,
                doses=(),
                names=(goal.name, hold),
            )
            row: Row = {"goal": goal.change, "plan_s": seconds, "size_sd": plan.size}
            return row | of_tried(tried, goal.name, hold)

        section = f"real_{bundle.digest[:8]}_{target}".replace(":", "_")
        rows = list(inputs.each(section, names, one))
        found["aims"].append({"target": target, "direction": direction, "hold": hold, "rows": rows})
    return found


def write(figures: Figures) -> str:
    """Write the section."""
    head = ["plan", "people", "goal reached within 10 %", "share of the goal: least, median",
            "beyond the 99th percentile of random", "held moves (most)", "size, SD of edges",
            "possible"]  # fmt: skip
    rows = []
    for aim in figures["aims"]:
        people = aim["rows"]
        most = max(abs(row["held_moved_sd"]) for row in people)
        rows.append(
            [
                f"`{aim['target']}` {aim['direction']} {SIZE_SD} SD, `{aim['hold']}` held",
                str(len(people)),
                percent(share_within(people)),
                quantiles(reached(people), (0.0, 0.5)),
                percent(share_beyond(people)),
                f"{most:.3f} SD",
                middle([row["size_sd"] for row in people]),
                percent(sum(map(is_possible, people)) / len(people)),
            ]
        )
    return "\n\n".join(
        [
            f"Resting series of young adults (Human Connectome Project), `{figures['bundle']}`, "
            "which has no amygdala. These connectomes lie outside the bundle's (simulated) "
            "cohort, where a twin knows less, and nobody knows the truth about them: the table "
            "says that plans reach what the twin forecasts, and nothing else.",
            table(head, rows),
        ]
    )
