"""The table of model choices: variants of the settings, trained short and judged on one part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from results_claims import NOT_THERE, ClaimError, number, table
from results_figures import CONTROL_NAMES, RULE_NAMES, TASK_NAMES, Report, figure_of
from results_sections import what_is_real

from dtb_models.rules import rules_beside

METRICS_SHOWN = {
    "rt_r": "RT r",
    "rt_rmse_s": "RT RMSE (s)",
    "choice_log_loss": "choice log loss",
    "coverage_90": "90 % covers",
    "rt_log_likelihood": "RT log lik.",
}
MODES = {
    "calibrated": "After the own first half",
    "no_trials": "No trial seen",
    "connectome": "From a simulated connectome",
}
"""What a twin knows of the person it is judged on, in the order of tables."""
_SAME_FOR_ALL = {"no_trials": ("rt_r",)}
"""Figures that mean nothing where everybody is forecast alike."""
_NOTES = {
    "no_trials": "The twin of `paper`, which knows no population, is that of the mean connectome."
}
_LABELS = RULE_NAMES | CONTROL_NAMES | {"twin/after_trials": "base, after own trials"}


def ablations(report: Report) -> str:
    """Return the section.

    Raises
    ------
    ClaimError
        If a table has no rule or no control.
    """
    judged = ", ".join(f"{n} in `{task}`" for task, n in report["judged"].items())
    intro = (
        f"Each row is a training of its own on {report['n_trained']} people with "
        f"{report['updates']} updates where the shipped networks take more, BOLD of the paper's "
        f"areas only, judged on one part of the people that none of them saw ({judged}; seed "
        f"{report['seed']}). `*` stands where the 95 % interval of the difference from `base`, "
        "over the same people, leaves out 0. One part and one seed: small differences say nothing."
    )
    blocks = ["## Model choices", what_is_real(report), intro]
    blocks += [_variants_table(report)]
    for mode, title in MODES.items():
        if any(mode in variant["modes"] for variant in report["variants"].values()):
            notes = (_NOTES[mode],) if mode in _NOTES else ()
            blocks += [f"### {title}", _mode_table(report, mode), *notes]
    blocks.append(f"```sh\n{report['command']}\n```")
    return "\n\n".join(blocks)


def _variants_table(report: Report) -> str:
    rows = [
        [f"`{name}`", variant["meaning"], number(variant["minutes"], 1)]
        for name, variant in report["variants"].items()
    ]
    return table(["variant", "what it is", "minutes of training (beside other work)"], rows)


def _mode_table(report: Report, mode: str) -> str:
    tasks = list(report["judged"])
    metrics = [name for name in METRICS_SHOWN if name not in _SAME_FOR_ALL.get(mode, ())]
    header = ["variant"]
    header += [f"{METRICS_SHOWN[name]}, {_short(task)}" for task in tasks for name in metrics]
    names = [f"{metric}:{task}" for task in tasks for metric in metrics]
    rows = [
        [f"`{name}`", *_cells(variant["modes"][mode], names, variant["minus_base"].get(mode, {}))]
        for name, variant in report["variants"].items()
        if mode in variant["modes"]
    ]
    for kind in ("rules", "controls"):
        beside = []
        for method, figures in report[kind].get(mode, {}).items():
            shown = [name for name in names if _stands_beside(method, name)]
            kept = {name: figures[name] for name in shown if name in figures}
            beside.append([_LABELS[method], *_cells(kept, names, {})])
        if not any(cell for row in beside for cell in row[1:]):
            raise ClaimError(
                f"The ablations {MODES[mode].lower()!r} were to be shown without {kind}. Judge "
                "them on the same people."
            )
        rows += beside
    return table(header, rows)


def _stands_beside(method: str, name: str) -> bool:
    kind, _, rule = method.partition("/")
    return kind != "rule" or rule in rules_beside(name)


def _cells(
    figures: Mapping[str, Any], names: Sequence[str], minus_base: Mapping[str, Any]
) -> list[str]:
    cells = []
    for name in names:
        found, away = figure_of(figures.get(name)), figure_of(minus_base.get(name))
        cell = NOT_THERE if found is None else number(found.value)
        differs = away is not None and (away.low > 0 or away.high < 0)
        cells.append(f"{cell}*" if cell and differs else cell)
    return cells


def _short(task: str) -> str:
    return TASK_NAMES[task].partition(" ")[0]
