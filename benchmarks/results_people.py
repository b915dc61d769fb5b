"""Sections about people with trials: after their own first half, without any, and new people."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from results_claims import (
    NOT_THERE,
    Claim,
    ClaimTable,
    Verdict,
    at_least,
    beside_rules,
    interval,
    number,
    within,
)
from results_figures import (
    METRIC_NAMES,
    RULE_NAMES,
    TASK_NAMES,
    Report,
    control_cells,
    difference,
    figure,
    minus_best_rule,
    n_cell,
    rule_cells,
    value_cell,
)
from results_sections import Part, Section, learning, warnings, what_is_real, who_was_judged

from dtb_models.report_figures import bound

LEAST_RT_R = {"hammer": 0.92, "stroop": 0.89}
"""Calibrated, mean response time over people."""
COVERED = (0.87, 0.93)
"""Share of unseen trials that the 90 % interval is to cover."""
_SAME_PEOPLE = {"choice_concordance": {"hammer": "0.94", "stroop": "0.90"}} | {
    "rt_r": {"hammer": "0.90", "stroop": "0.85"}
}
_NEW_PEOPLE = {
    "choice_concordance": {"hammer": "above 0.87", "stroop": "above 0.87"},
    "rt_r": {"hammer": "0.36 to 0.42", "stroop": "0.36 to 0.42"},
}
PAPER = {"temporal": _SAME_PEOPLE, "calibrated": _SAME_PEOPLE, "new-people": _NEW_PEOPLE}
"""What the paper reports, by protocol, metric and task."""
_RELATIVE_AIMS = {
    "rt_rmse_s": ("below", ("rule/loo_regression",)),
    "rt_trial_r": ("above", ("rule/own_mean_trial_type", "rule/position_mean")),
    "choice_concordance": ("not below", ("rule/always_correct",)),
    "choice_log_loss": ("below", ("rule/own_accuracy",)),
}
"""Calibrated: figures that are to be better than those of rules."""

Aims = Callable[[str, str], tuple[Verdict, ...]]
"""From a metric and a task to what was aimed at."""


def no_aims(_metric: str, _task: str) -> tuple[Verdict, ...]:
    """Aim at nothing."""
    return ()


def calibrated(report: Report) -> Section:
    """Return the section about real people after their own first half."""

    def aims(metric: str, task: str) -> tuple[Verdict, ...]:
        name = f"{metric}:{task}"
        found = figure(report, "twin", name)
        value = None if found is None else found.value
        if metric == "rt_r":
            return (at_least(value, LEAST_RT_R[task]),)
        if metric.startswith("coverage_90"):
            return (within(value, *COVERED),)
        if metric in _RELATIVE_AIMS:
            side, rules = _RELATIVE_AIMS[metric]
            beside = {RULE_NAMES[rule]: difference(report, rule, name) for rule in rules}
            return (beside_rules(side, beside),)
        return ()

    return Section(
        "Real people, after their own first half",
        what_is_real(report),
        (
            who_was_judged(report),
            "Each twin began as the population's, without a connectome, saw its person's trials "
            "of the first 196.8 s of both tasks, and was judged on those of the next 196.8 s. "
            "The networks never saw the person.",
            *learning(report),
        ),
        (*task_parts(report, aims), *_both_tasks(report)),
        warnings(report),
        report["command"],
    )


def temporal(report: Report) -> Section:
    """Return the section about the paper's split of time."""
    return Section(
        "Real people, the paper's split of time",
        what_is_real(report),
        (
            who_was_judged(report),
            "The network was trained on the first halves of the judged people themselves, as in "
            "the paper. All else differs: these twins begin as the population's, without a "
            "connectome, and learn from their person's first half; the paper's came from real "
            "connectomes. The paper's figures stand beside them for orientation. Everybody did the "
            "same schedule, so the pictures of the second half, and so late a time in a run, are "
            "new to these networks, whereas those above learned both from other people.",
            *learning(report),
        ),
        task_parts(report, no_aims),
        warnings(report),
        report["command"],
    )


def new_people(report: Report) -> Section:
    """Return the section about people of whom only a simulated connectome is known."""
    return Section(
        "New people, from simulated connectomes",
        what_is_real(report),
        (
            who_was_judged(report),
            "Connectomes as additional input instead of a hypernetwork were not tried here, where "
            "each fold would need a training of its own; they stand beside simulated people.",
        ),
        (*task_parts(report, no_aims), *_both_tasks(report)),
        warnings(report),
        report["command"],
    )


def task_parts(
    report: Report, aims: Aims, metrics: Sequence[str] = tuple(METRIC_NAMES)
) -> tuple[Part, ...]:
    """Return one table a task."""
    return tuple(
        Part(TASK_NAMES[task], ClaimTable(claims))
        for task in report["judged"]
        if (claims := _claims(report, task, aims, metrics))
    )


def _claims(report: Report, task: str, aims: Aims, metrics: Sequence[str]) -> tuple[Claim, ...]:
    found = []
    for metric in metrics:
        name = f"{metric}:{task}"
        own = figure(report, "twin", name)
        verdicts = aims(metric, task)
        if own is None and not verdicts:
            continue
        found.append(
            Claim(
                METRIC_NAMES[metric],
                n_cell([own]),
                _with_sd(report, name, interval(own)),
                rule_cells(report, name),
                control_cells(report, name),
                verdicts,
                reference=_reference(report, metric, task),
                bound=number(bound(report, name)),
                beside_best=minus_best_rule(report, name),
            )
        )
    return tuple(found)


def _both_tasks(report: Report) -> tuple[Part, ...]:
    """Return the table of the figure that takes the trial types of all tasks together."""
    name = "rt_trial_type_r:both"
    own = figure(report, "twin", name)
    if own is None:
        return ()
    claim = Claim(
        METRIC_NAMES["rt_trial_type_r"],
        n_cell([own]),
        interval(own),
        rule_cells(report, name),
        control_cells(report, name),
        beside_best=minus_best_rule(report, name),
    )
    return (Part(TASK_NAMES["both"], ClaimTable((claim,))),)


def _with_sd(report: Report, name: str, cell: str) -> str:
    """Add the SD over people to a concordance, as the paper gives it."""
    if not name.startswith("choice_concordance:"):
        return cell
    sd = value_cell(report, "twin", name.replace(":", "_sd:"))
    return f"{cell}, SD {sd}" if cell and sd else cell


def _reference(report: Report, metric: str, task: str) -> str:
    if report["data"]["source"] != "tcp":
        return NOT_THERE
    text = PAPER[report["protocol"]].get(metric, {}).get(task, NOT_THERE)
    return f"(paper: {text})" if text else NOT_THERE
