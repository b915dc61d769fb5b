"""Sparse and structured changes: how far few edges, few regions or networks get."""

from __future__ import annotations

from typing import Any

import numpy as np
from interventions_inputs import Inputs, Row
from interventions_people import AMYGDALA, SIZE_SD, TIME, is_possible, of_tried, reached
from interventions_words import Figures, middle, percent, quantiles
from results_claims import table

from dtb_models.plan_search import PlanSearch
from dtb_runtime.gradients import ChangeLimits
from dtb_runtime.intervention import try_plan
from dtb_runtime.plan import Goal

KINDS = {
    "all edges": ChangeLimits(),
    "200 edges": ChangeLimits(edges=200),
    "2,000 edges": ChangeLimits(edges=2_000),
    "20 regions": ChangeLimits(regions=20),
    "100 regions": ChangeLimits(regions=100),
    "pairs of networks": ChangeLimits(networks=True),
}
SHAMS = 20


def measure(inputs: Inputs) -> dict[str, Any]:
    """Plan with each kind of change, for the two targets, in a few people."""
    found: dict[str, Any] = {}
    for target in (AMYGDALA, TIME):
        goal = Goal.of(inputs.loaded, target, "decrease", f"{SIZE_SD}sd")
        search = PlanSearch(inputs.loaded, [goal])
        for kind in KINDS:
            found.setdefault(target, {})[kind] = _measure_kind(inputs, search, goal, kind)
    return found


def _measure_kind(inputs: Inputs, search: PlanSearch, goal: Goal, kind: str) -> list[Row]:
    people = {each.participant_id: each for each in inputs.cohort.participants}

    def one(participant_id: str) -> Row:
        connectome = people[participant_id].connectome
        found = search.find(connectome, KINDS[kind], participant_id=participant_id)
        tried = try_plan(
            inputs.loaded,
            connectome,
            found.plan,
            changed=found.correlations,
            shams=min(SHAMS, inputs.sizes.shams),
            doses=(),
            names=(goal.name,),
        )
        row: Row = {"goal": goal.change, "size_sd": found.size}
        return row | of_tried(tried, goal.name, None)

    chosen = list(people)[: max(1, inputs.sizes.few // 2)]
    return list(inputs.each(f"kinds_{goal.name}_{kind}".replace(" ", "_"), chosen, one))


def write(figures: Figures) -> str:
    """Write the section."""
    head = ["target", "what may change", "people", "share of the goal: 5 %, median, 95 %",
            "farther than random changes (median)", "size, SD of edges", "possible"]  # fmt: skip
    rows = []
    for target, kinds in figures.items():
        for kind, people in kinds.items():
            rows.append(
                [
                    f"`{target}`",
                    kind,
                    str(len(people)),
                    quantiles(reached(people), (0.05, 0.5, 0.95)),
                    f"{np.median([row['percentile'] for row in people]):.0f} %",
                    middle([row["size_sd"] for row in people]),
                    percent(float(np.mean([is_possible(row) for row in people]))),
                ]
            )
    return "\n\n".join(
        [
            f"The same goal ({SIZE_SD} SD less) where only some of the connectome may change. A "
            "twin reads patterns over tens of thousands of edges, so few of them move little, "
            "however they are chosen.",
            table(head, rows),
        ]
    )
