"""Sections about simulated people: what twins find of what was planted in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from results_claims import (
    NOT_THERE,
    Claim,
    ClaimTable,
    Verdict,
    at_least,
    close_to_zero,
    interval,
    number,
    table,
)
from results_figures import RULE_NAMES, Report, figure_of
from results_maps import contrast_parts
from results_people import no_aims, task_parts
from results_sections import (
    Part,
    Section,
    learning,
    warnings,
    what_is_real,
    who_was_judged,
)

LEAST_SHARE_OF_RT = 0.9
LEAST_RT_R = 0.36
LEAST_SHARE_OF_CONTRASTS = 0.8
MOST_SHUFFLED_R = 0.1
SHOWN_OF_TASKS = ("rt_r", "rt_rmse_s", "choice_concordance", "choice_log_loss", "coverage_90")
_TARGETS = {
    "reaction_time": "mean RT of both tasks",
    "reaction_time:hammer": "mean RT, Faces",
    "reaction_time:stroop": "mean RT, Stroop",
    "contrast_score:hammer": "strength of face > shape",
    "contrast_score:stroop": "strength of incongruent > congruent",
    "amygdala:hammer": "right amygdala, face > shape",
    "true_contrast_scale:hammer": "planted strength of face > shape",
    "true_contrast_scale:stroop": "planted strength of incongruent > congruent",
}
"""What was measured in the new people, in the order of rows; `planted` has more."""
_AIMED_AT = ("contrast_score:hammer", "contrast_score:stroop", "amygdala:hammer")
_SOURCES = {
    "scan": "factors as seen in the scan",
    "connectome": "latent from the connectome",
    "posterior": "latent after trials",
}


def simulated(report: Report) -> Section:
    """Return the section about simulated people of one parcellation."""
    regions = report["training"]["regions"]
    planted: Mapping[str, Any] | None = report["planted"]
    parts: list[Part] = []
    if planted is not None:
        parts.append(_targets(planted))
    parts += contrast_parts(report)
    parts += task_parts(report, no_aims, SHOWN_OF_TASKS)
    tail = () if planted is None else _explained(planted)
    if parts:
        parts[-1] = Part(parts[-1].title, parts[-1].table, (*parts[-1].notes, *tail))
    return Section(
        f"Simulated people with planted truth, `{regions}`",
        what_is_real(report),
        (who_was_judged(report), *_who(planted)),
        tuple(parts),
        warnings(report),
        report["command"],
    )


def calibrated_simulated(report: Report) -> Section:
    """Return the section about simulated people whose twins know connectome and own trials."""
    planted: Mapping[str, Any] | None = report["planted"]
    parts = list(task_parts(report, no_aims, SHOWN_OF_TASKS))
    tail = () if planted is None else _explained(planted)
    if parts:
        parts[-1] = Part(parts[-1].title, parts[-1].table, (*parts[-1].notes, *tail))
    return Section(
        "Simulated people, connectome and own trials together",
        what_is_real(report),
        (
            who_was_judged(report),
            "What the connectome predicts is the prior, the person's trials of the first 196.8 s "
            "are the evidence; judged are those of the next 196.8 s. Beside it the same twins "
            "from the connectome alone, and with other people's connectomes and their own trials.",
            *learning(report),
        ),
        tuple(parts),
        warnings(report),
        report["command"],
    )


def _who(planted: Mapping[str, Any] | None) -> tuple[str, ...]:
    if planted is None:
        return ()
    return (
        f"Trained on {planted['n_training']} people, judged on {planted['n_new']} others from "
        "their connectomes alone.",
    )


def _targets(planted: Mapping[str, Any]) -> Part:
    """Return what twins find, as a share of what can be found."""
    claims = []
    for name, label in _TARGETS.items():
        found = planted["targets"].get(name)
        if found is None or found.get("twin_r") is None:
            continue
        own = figure_of(found["twin_r"])
        share, shuffled = found.get("share_of_ceiling"), found.get("control/shuffled_r")
        twin = interval(own)
        if twin and share is not None:
            twin += f", {share:.0%} of the ceiling"
        claims.append(
            Claim(
                f"{label}, r over new people",
                NOT_THERE if own is None else str(own.n),
                twin,
                {
                    RULE_NAMES[method]: number(found.get(f"{method}_r"))
                    for method in ("connectome/edge_sums", "connectome/components")
                },
                {"shuffled connectomes": number(shuffled)},
                _verdicts(name, None if own is None else own.value, share, shuffled),
                bound=_ceiling(found),
            )
        )
    note = (
        "bound: the ceiling, a regression on the planted factors as seen through the same scan "
        "noise by who knows the planted patterns; in brackets, on the true factors. The linear "
        "models learned from the same training people."
    )
    return Part("What connectomes tell", ClaimTable(tuple(claims)), (note,))


def _verdicts(
    name: str, r: float | None, share: float | None, shuffled: float | None
) -> tuple[Verdict, ...]:
    exchanged = close_to_zero(shuffled, MOST_SHUFFLED_R, "shuffled |r| ")
    if name.startswith("reaction_time"):
        return (
            at_least(share, LEAST_SHARE_OF_RT, "share of the ceiling "),
            at_least(r, LEAST_RT_R, "r "),
            exchanged,
        )
    if name in _AIMED_AT:
        return (at_least(share, LEAST_SHARE_OF_CONTRASTS, "share of the ceiling "), exchanged)
    return ()


def _ceiling(found: Mapping[str, Any]) -> str:
    ceiling, true = number(found["ceiling_r"]), number(found["ceiling_r_true_factors"])
    return f"{ceiling} ({true})" if true else ceiling


def _explained(planted: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the table of how much of what was planted the latents explain, and what it is."""
    explained: Mapping[str, Mapping[str, float | None]] = planted["explained"]
    sources = [source for source in _SOURCES if source in explained]
    if "scan" not in sources or len(sources) < 2:
        return ()
    names = list(explained["scan"])
    rows = [
        [f"`{name}`", *(number(explained[source].get(name)) for source in sources)]
        for name in names
    ]
    return (
        "### Planted truth in the latents",
        "R2 over new people of regressions (cross-validated, so that latents that tell nothing "
        "have 0 or a little less). The factors that the planted patterns give in the same scans "
        "are the rule beside the latents: nobody without the patterns can do better.",
        table(["planted", *(_SOURCES[source] for source in sources)], rows),
    )
