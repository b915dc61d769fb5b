"""Sentences that belong to every use of an evaluation's figures, the loudest first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dtb_models.evaluation import BundlePart
    from dtb_models.evaluation_hcp import HcpBundles
    from dtb_models.protocols import JudgedPeople, Protocol


def trial_warnings(
    parts: Sequence[BundlePart],
    people: JudgedPeople,
    protocol: Protocol,
    *,
    is_trained: bool,
    kind: str,
    without_scans: Path | None,
    connectomes: str,
    cohort_warning: str | None,
) -> tuple[str, ...]:
    """Return the warnings of an evaluation of people with trials.

    Parameters
    ----------
    parts : sequence of BundlePart
    people : JudgedPeople
    protocol : Protocol
    is_trained : bool
        Whether the bundles were trained for this evaluation.
    kind : str
        Whether the people are real.
    without_scans : Path or None
        Folder of real people whose brains were simulated.
    connectomes : str
        What the judged people's are: none, real or simulated.
    cohort_warning : str or None
    """
    found = [] if is_trained else _about_the_bundle(parts[0], people, protocol, kind)
    if without_scans is not None:
        found.append(_about_brains(without_scans, connectomes))
    found += [warning for part in parts for warning in part.bundle.warnings]
    if kind == "simulated":
        found.append(
            "The people judged here are simulated: these figures say nothing about real people."
        )
    elif cohort_warning is not None:
        found.append(cohort_warning)
    return tuple(dict.fromkeys(found))


def map_warnings(bundles: HcpBundles, participant_ids: Sequence[str]) -> tuple[str, ...]:
    """Return the warnings of an evaluation of contrast maps alone."""
    from dtb_models.evaluation_report import n_known

    found = []
    if not bundles.is_left_out:
        pairs = [(bundles.own[one], one) for one in participant_ids]
        known, name = n_known(pairs), pairs[0][0].name
        if known is None:
            found.append(
                f"IT IS NOT KNOWN WHETHER BUNDLE {name} WAS MADE WITH THESE PEOPLE'S ACTIVATIONS: "
                "it does not say. If it was, these figures only show that it remembers their mean."
            )
        elif known:
            found.append(
                f"BUNDLE {name} WAS MADE WITH THE ACTIVATIONS OF {known} OF THESE {len(pairs)} "
                "PEOPLE: these figures only show that it remembers their mean. To judge people it "
                "does not know: --leave-one-out."
            )
    found += [warning for bundle in bundles.own.values() for warning in bundle.warnings]
    return tuple(dict.fromkeys(found))


def _about_the_bundle(
    part: BundlePart, people: JudgedPeople, protocol: Protocol, kind: str
) -> list[str]:
    from dtb_models.evaluation_report import n_known

    name, everybody = part.bundle.name, people.participant_ids
    # Simulated people of another seed have the same ids; but whom a bundle of real behavior was
    # trained on, they are not.
    is_invented = kind == "simulated"
    known: int | None = 0
    if not is_invented:
        known = n_known((part.bundle, one) for one in everybody)
    elif part.bundle.manifest.training.kind == "simulated":
        known = None
    found = []
    if known is None:
        found.append(
            f"IT IS NOT KNOWN WHETHER BUNDLE {name} WAS TRAINED ON THESE PEOPLE: it does not say. "
            "If it was, these figures are better than those of new people."
        )
    elif known:
        found.append(
            f"BUNDLE {name} WAS TRAINED ON {known} OF THE {len(everybody)} JUDGED PEOPLE, judged "
            "trials included: these figures are better than those of new people. To judge people "
            "held out, leave out --bundle and give --folds and --regions."
        )
    if protocol.trains_on_judged:
        found.append(
            f"Bundle {name} was not trained for the temporal protocol: that trains on the first "
            "half of the judged people's own runs. Leave out --bundle to do so."
        )
    return found


def _about_brains(folder: Path, connectomes: str) -> str:
    where = f"There are no scans beside the trials in {folder}"
    if connectomes == "none":
        return (
            f"{where}, so networks were trained with connectomes and BOLD simulated around the "
            "real behavior. The judged twins begin with no connectome: what is judged is the "
            "forecast of real people's choices and response times from their own earlier trials."
        )
    return (
        f"{where}, so connectomes were simulated around all trials, the judged ones included, and "
        "the judged twins are made from them: these figures say nothing about real connectomes."
    )
