"""The section about people of whom nothing is known, neither trials nor a connectome."""

from __future__ import annotations

from results_claims import NOT_THERE, Claim, ClaimTable, Verdict, beside_rules, interval, number
from results_figures import (
    METRIC_NAMES,
    RULE_NAMES,
    TASK_NAMES,
    Report,
    figure,
    figure_of,
    n_cell,
    rule_cells,
    value_cell,
)
from results_sections import Part, Section, what_is_real

METRICS_SHOWN = (
    *("rt_rmse_s", "rt_bias_s", "rt_trial_rmse_s", "rt_log_likelihood", "choice_log_loss"),
    *(name for name in METRIC_NAMES if name.startswith("coverage")),
)
WIDTH = "width of the 90 % interval of RT (s)"


def no_trials(report: Report) -> Section:
    """Return the section about twins of whom nothing is known, from the calibrated evaluation."""
    return Section(
        "Real people, no trial seen",
        what_is_real(report),
        (
            "The twin of a person of whom neither trials nor a connectome are known forecasts the "
            "population's average. Judged on the same people and trials as above; beside it the "
            "same people's twins after their own first half.",
        ),
        tuple(
            Part(TASK_NAMES[task], ClaimTable(claims, "population twin [95 %]"))
            for task in report["judged"]
            if (claims := _no_trials_claims(report, task))
        ),
    )


def _no_trials_claims(report: Report, task: str) -> tuple[Claim, ...]:
    population = "control/population"
    beside = report["no_trials"]["differences"]
    found = []
    for metric in METRICS_SHOWN:
        name = f"{metric}:{task}"
        own = figure(report, population, name)
        if own is None:
            continue
        verdicts: tuple[Verdict, ...] = ()
        if metric == "rt_rmse_s":
            rule = "rule/trial_type_mean"
            known = figure_of(beside.get(rule, {}).get(name))
            verdicts = (beside_rules("not above", {RULE_NAMES[rule]: known}),)
        cells = rule_cells(report, name)
        rules = {label: cells[label] for method, label in RULE_NAMES.items() if method in beside}
        after = {"twin after own trials": value_cell(report, "twin", name)}
        found.append(
            Claim(METRIC_NAMES[metric], n_cell([own]), interval(own), rules, after, verdicts)
        )
    widths = report["no_trials"]["interval_width_s"].get(task, {})
    own_width, after_width = widths.get(population), widths.get("twin")
    if own_width is None or after_width is None:
        return tuple(found)
    is_wider = Verdict("wider than after own trials", own_width > after_width, NOT_THERE)
    found.append(
        Claim(
            WIDTH,
            found[0].n if found else NOT_THERE,
            number(own_width),
            {RULE_NAMES[rule]: number(widths.get(rule)) for rule in RULE_NAMES if rule in beside},
            {"twin after own trials": number(after_width)},
            (is_wider,),
        )
    )
    return tuple(found)
