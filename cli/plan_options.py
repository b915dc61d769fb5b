"""Options of `dtb-run intervene` and `dtb-run trial`: what a plan shall do, and what it may change.

They are written once, so that they mean and are called the same; `plan_request` makes sense of
them.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class PlanMethod(StrEnum):
    """How a new plan is found."""

    GRADIENT = "gradient"
    PLS = "pls"


TargetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="NAME",
        show_default=False,
        help="Indicator to move, e.g. reaction_time:stroop, stroop_effect, amygdala_response, "
        "contrast:face_shape:REGION. May be given again.",
    ),
]
DirectionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--direction",
        metavar="increase|decrease",
        show_default=False,
        help="Where to: once, or once for each target.",
    ),
]
SizeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--size",
        metavar="0.5sd|VALUE",
        show_default=False,
        help="How far, in SDs of the training cohort or in the indicator's unit: once, or once "
        "for each target. Sizes are the weights of several targets. Default: 0.5sd.",
    ),
]
HoldOption = Annotated[
    list[str] | None,
    typer.Option(
        "--hold",
        metavar="NAME",
        show_default=False,
        help="Indicator that must not move. May be given again.",
    ),
]
PlanOption = Annotated[
    Path | None,
    typer.Option(
        "--plan",
        metavar="JSON|DIR",
        show_default=False,
        help="Apply a plan that is there already, instead of --target. Needs no PyTorch.",
    ),
]
EdgesOption = Annotated[
    int | None,
    typer.Option("--edges", metavar="K", show_default=False, help="Change at most K edges."),
]
RegionsOption = Annotated[
    int | None,
    typer.Option(
        "--regions",
        metavar="K",
        show_default=False,
        help="Scale the coupling of at most K whole regions, as stimulation would.",
    ),
]
NetworksOption = Annotated[
    bool, typer.Option("--networks", help="Shift all edges between two networks alike.")
]
BudgetOption = Annotated[
    float | None,
    typer.Option(
        "--budget",
        show_default=False,
        help="Largest change, in SDs of edges between people (root mean square over edges). "
        "Default: 1.",
    ),
]
MethodOption = Annotated[
    PlanMethod,
    typer.Option(
        "--method",
        help="gradient: the person's own; pls: the paper's way, one direction of weights for "
        "everybody, held to what it promises.",
    ),
]
SamplesOption = Annotated[
    int | None,
    typer.Option(
        "--samples",
        show_default=False,
        help="pls: noisy copies of the connectome (SmoothGrad). Default: 100.",
    ),
]
NoiseOption = Annotated[
    float | None,
    typer.Option(
        "--noise",
        show_default=False,
        help="pls: SD of their noise, in SDs of edges between people. Default: 0.1.",
    ),
]
CohortOption = Annotated[
    Path | None,
    typer.Option(
        "--cohort",
        metavar="COHORT",
        show_default=False,
        help="pls: the cohort to find the direction over, as dtb-run score takes it. Default: "
        "twins drawn from how the training cohort's connectomes lie.",
    ),
]
