"""The page's first section: where twins are better than the best simple rule, and where not."""

from __future__ import annotations

from collections.abc import Mapping

from results_claims import interval
from results_figures import METRIC_NAMES, TASK_NAMES, Report, difference_from_best_rule

from dtb_models.bootstrap import Figure
from dtb_models.metric_definitions import METRICS

WHO = {
    "tcp_calibrated": "Real people, after their own first half",
    "tcp_temporal": "Real people, the paper's split of time",
    "tcp_new_people": "Real people's trials, from connectomes simulated around them",
    "simulated_tcp434": "Simulated people, from connectomes of `tcp434`",
    "simulated_glasser360": "Simulated people, from connectomes of `glasser360`",
}
"""Evaluations with trials, and whose they are."""
_BETTER, _WORSE, _SAME = "Better", "Worse", "No difference that these people show"


def in_words(reports: Mapping[str, Report]) -> str:
    """Return the section: for each evaluation and task, what is better, worse and neither.

    A twin is better, or worse, than the best rule at a figure where the 95 % interval of the
    difference does not hold zero. The best rule of each figure is chosen after the fact, which is
    to its advantage.
    """
    lines = []
    for name, who in WHO.items():
        if name not in reports:
            continue
        for task in reports[name]["judged"]:
            lines.append(f"- **{who}, {TASK_NAMES[task]}**: {_sentence(reports[name], task)}.")
    if not lines:
        return ""
    intro = (
        "Each figure of a twin beside whichever simple rule or linear model does best at it, which "
        "is chosen after the fact. *Better* and *worse*: the 95 % interval of the difference over "
        "people does not hold zero."
    )
    return "\n\n".join(("## Beside the best rule", intro, "\n".join(lines)))


def _sentence(report: Report, task: str) -> str:
    found: dict[str, list[str]] = {_BETTER: [], _WORSE: [], _SAME: []}
    for metric, label in METRIC_NAMES.items():
        pair = difference_from_best_rule(report, f"{metric}:{task}")
        if pair is None:
            continue
        rule, difference = pair
        verdict = _verdict(metric, difference)
        detail = f" ({interval(difference)}, {rule})" if verdict != _SAME else ""
        found[verdict].append(f"{label}{detail}")
    said = [f"{verdict}: {'; '.join(figures)}" for verdict, figures in found.items() if figures]
    return ". ".join(said) or "no rule beside it"


def _verdict(metric: str, difference: Figure) -> str:
    if difference.low <= 0 <= difference.high:
        return _SAME
    is_higher = difference.low > 0
    return _BETTER if is_higher == (METRICS[metric].goal == "higher") else _WORSE
