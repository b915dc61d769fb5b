"""Every figure of a table of judged trials, each with its interval over people.

Figures are named ``<metric>:<task>``; `metric_definitions` has the metrics.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dtb_runtime.errors import UsageError

from .bootstrap import Figure, bootstrap, bootstrap_difference
from .judged_trials import JudgedTrials
from .metric_definitions import METRICS, Metric

BOTH_TASKS = "both"
"""Stands for the task in a figure over all tasks together."""


def figures(trials: JudgedTrials) -> dict[str, Figure]:
    """Return every figure that a table allows, by task, each with its interval over people.

    Figures of what is not forecast are left out, and so are those of too few people. Quarters of
    the people are those of the table; they stay the same in every draw of the bootstrap. Where
    there are several tasks, ``rt_trial_type_r:both`` takes the trial types of all together.

    Parameters
    ----------
    trials : JudgedTrials
        With what a twin, or a rule, forecast.

    Returns
    -------
    dict of str to Figure
        By ``<metric>:<task>``.
    """
    found = {}
    for name, metric, part in _parts(trials):
        counted = part.select(metric.rows(part))
        sums = metric.of_people(counted) if len(counted) else np.zeros((0, 0))
        if len(sums) >= metric.fewest_people:
            figure = bootstrap(sums, metric.statistic)
            if np.isfinite(figure.value):
                found[name] = figure
    return found


def differences(trials: JudgedTrials, other: JudgedTrials) -> dict[str, Figure]:
    """Return how much higher each figure is than another method's, on what both forecast.

    Parameters
    ----------
    trials, other : JudgedTrials
        Of the same trials in the same order, of a twin and of a rule for instance.

    Returns
    -------
    dict of str to Figure
        By ``<metric>:<task>``; the interval is that of the difference, from the same draws of
        people. Metrics with one right value, as coverage, are left out.

    Raises
    ------
    UsageError
        If the two tables are not of the same trials.
    """
    if not trials.has_rows_of(other):
        raise UsageError(
            f"Two methods are compared on the same trials, but these are {trials} and {other} "
            "with other rows or another order. Forecast the same judged runs with both."
        )
    found = {}
    for (name, metric, part), (_, _, beside) in zip(_parts(trials), _parts(other), strict=True):
        if isinstance(metric.goal, float):
            continue
        counts = metric.rows(part) & metric.rows(beside)
        if len(np.unique(part.participant_id[counts])) < metric.fewest_people or not counts.any():
            continue
        sums, others = (metric.of_people(table.select(counts)) for table in (part, beside))
        figure = bootstrap_difference(sums, others, metric.statistic)
        if np.isfinite(figure.value):
            found[name] = figure
    return found


def _parts(trials: JudgedTrials) -> Iterator[tuple[str, Metric, JudgedTrials]]:
    """Yield the name of each figure, its metric, and the part of the table it is of."""
    for task in trials.tasks:
        part = trials.of_task(task)
        for metric in METRICS.values():
            yield f"{metric.name}:{task}", metric, part
    if len(trials.tasks) > 1:
        metric = METRICS["rt_trial_type_r"]
        yield f"{metric.name}:{BOTH_TASKS}", metric, trials
