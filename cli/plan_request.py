"""What options ask of a plan, refused where it makes no sense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .plan_options import PlanMethod

if TYPE_CHECKING:
    from dtb_runtime.bundle import Bundle
    from dtb_runtime.connectome import Connectome
    from dtb_runtime.gradients import ChangeLimits, DirectionSettings
    from dtb_runtime.plan import Goal
    from dtb_runtime.reading import Reading


def check_source(
    plan: Path | None, target: Sequence[str] | None, of_new: Mapping[str, object]
) -> None:
    """See that there is either a ready plan or a target.

    Parameters
    ----------
    plan : pathlib.Path, optional
    target : sequence of str, optional
    of_new : mapping of str to object
        What was given of options that only a new plan has, by their names.

    Raises
    ------
    UsageError
        Both, neither, or a ready plan beside what it says itself.
    """
    from dtb_runtime.errors import UsageError

    if (plan is None) == (not target):
        raise UsageError(
            "Say what to do: --target NAME with --direction for a new plan, or --plan for one that "
            f"is there; found {'both' if plan is not None else 'neither'}."
        )
    given = [name for name, value in of_new.items() if value is not None and value is not False]
    if plan is not None and given:
        raise UsageError(
            f"{', '.join(given)}: only a new plan has this, and the plan of --plan says itself "
            "what it changes. Leave it out, or give --target."
        )


def direction_settings(
    method: PlanMethod,
    samples: int | None,
    noise: float | None,
    seed: int,
    cohort: Sequence[Connectome] | None,
) -> DirectionSettings | None:
    """Settings of the paper's way; None with gradients.

    Raises
    ------
    UsageError
        Something is set that gradients do not have.
    """
    from dtb_runtime.errors import UsageError
    from dtb_runtime.gradients import DirectionSettings

    if method is PlanMethod.GRADIENT:
        if samples is not None or noise is not None or cohort is not None:
            raise UsageError(
                "--samples, --noise and --cohort are of the paper's way. Add --method pls, or "
                "leave them out."
            )
        return None
    default = DirectionSettings()
    return DirectionSettings(
        samples=default.samples if samples is None else samples,
        noise=default.noise if noise is None else noise,
        seed=seed,
        cohort=cohort,
    )


def change_limits(
    edges: int | None, regions: int | None, budget: float | None, *, networks: bool
) -> ChangeLimits:
    """What may change, checked; raises `UsageError` where that contradicts itself."""
    from dtb_runtime.gradients import ChangeLimits

    limits = ChangeLimits(edges, regions, networks)
    if budget is not None:
        limits = replace(limits, budget=budget)
    limits.check()
    return limits


def goals_of(
    bundle: Bundle,
    targets: Sequence[str] | None,
    directions: Sequence[str] | None,
    sizes: Sequence[str] | None,
) -> list[Goal]:
    """The goals of a command line.

    Raises
    ------
    UsageError
        Neither one direction or size nor one for each target, or one that means nothing.
    """
    from dtb_runtime.errors import UsageError
    from dtb_runtime.plan import Goal

    targets, directions = list(targets or ()), list(directions or ())
    sizes = list(sizes or ("0.5sd",))
    for option, values in (("--direction", directions), ("--size", sizes)):
        if len(values) not in (1, len(targets)):
            raise UsageError(
                f"{option} must be given once, or once for each of the {len(targets)} targets, "
                f"found {len(values)}."
            )
    directions = directions * len(targets) if len(directions) == 1 else directions
    sizes = sizes * len(targets) if len(sizes) == 1 else sizes
    return [
        Goal.of(bundle, name, where, how_far)  # type: ignore[arg-type]  # which it checks
        for name, where, how_far in zip(targets, directions, sizes, strict=True)
    ]


def connectomes_of(
    bundle: Bundle, cohort: Path | None, reading: Reading
) -> list[Connectome] | None:
    """Everybody's connectome of a cohort; None where none is given.

    Raises
    ------
    CohortError, ConnectomeError
        The cohort or one of its files cannot be read: nobody is left out of a direction in silence.
    """
    if cohort is None:
        return None
    from dtb_runtime.cohort_listing import list_cohort
    from dtb_runtime.connectome_file import read_connectome
    from dtb_runtime.errors import CohortError
    from dtb_runtime.plan import parcellation_of

    name = parcellation_of(bundle).name
    found = []
    for entry in list_cohort(cohort, parcellation=name, timeseries=reading.timeseries).entries:
        if entry.path is None or entry.problem is not None:
            raise CohortError(
                f"{entry.label} of {cohort} has no connectome: {entry.problem} Leave the person "
                "out of the cohort, or mend it."
            )
        found.append(read_connectome(entry.path, reading))
    return found
