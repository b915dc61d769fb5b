"""An evaluation as tables: every figure of the twins beside its best rule, controls and bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import terminal

CONTROLS = {
    "control/connectome_alone": "no trials",
    "control/population": "anybody",
    "control/shuffled": "shuffled",
    "connectome/edge_sums": "CPM",
    "connectome/components": "ridge",
    "control/direct_input": "direct",
}
"""Methods beside the twin, and what a narrow column calls them."""


def print_evaluation(report: Mapping[str, Any], out: Path | None) -> None:
    """Print what `dtb_models.evaluation_report` or `evaluation_hcp` made.

    Parameters
    ----------
    report
        Content of ``metrics.json``.
    out
        Folder that the files were written to.
    """
    _print_heading(report)
    for task in report["judged"]:
        if any(name.endswith(f":{task}") for name in _figures(report, "twin")):
            terminal.print_table(_task_table(report, task))
    _print_legend(report)
    if report["maps"] is not None and "between_people" in report["maps"]:
        terminal.print_table(_maps_table(report["maps"]))
    elif report["maps"] is not None:
        _print_hcp(report["maps"])
    if report["planted"] is not None:
        terminal.print_table(_planted_table(report["planted"]))
        if report["planted"]["explained"]:
            terminal.print_table(_explained_table(report["planted"]["explained"]))
    learned = report["calibration"]
    if learned is not None:
        terminal.print_lines(
            f"Learning from {learned['n_trials_median']:.0f} trials took "
            f"{learned['seconds_median']:.1f} s of one processor a person (median; at most "
            f"{learned['seconds_max']:.1f} s). People whose twin had not converged: "
            f"{learned['not_converged']}."
        )
    terminal.print_lines(*report["notes"])
    terminal.print_lines(*(f"Warning: {warning}" for warning in report["warnings"]))
    if out is not None:
        terminal.message(f"Wrote {out}.")


def number(value: float | None) -> str:
    """A cell of a table: three decimals, ``n/a`` where there is no number."""
    return "n/a" if value is None else f"{value + 0.0:.3f}"


def _print_heading(report: Mapping[str, Any]) -> None:
    who = report["data"]["description"]
    if report["bundle"] is not None:
        how = f"Bundle {report['bundle']}"
    elif report["folds"] is not None:
        how = f"Trained for this in {report['folds']} parts"
    else:
        how = "Trained for this"
    protocol = "" if report["protocol"] is None else f", protocol {report['protocol']}"
    terminal.print_lines(f"{who}", f"{how}{protocol}.")
    for task, n in report["judged"].items():
        left_out = [f"{count} {reason}" for reason, count in report["left_out"][task].items()]
        aside = f"; left out: {', '.join(left_out)}" if left_out else ""
        terminal.print_lines(f"{task}: {n} people judged{aside}.")
    terminal.print_lines("")


def _figures(report: Mapping[str, Any], method: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = report["methods"].get(method, {}).get("figures", {})
    return found


def _task_table(report: Mapping[str, Any], task: str) -> terminal.Table:
    from dtb_models.metric_definitions import METRICS

    shown = [method for method in CONTROLS if _has(report, method, task)]
    rows = []
    for metric in METRICS.values():
        name = f"{metric.name}:{task}"
        own = _figures(report, "twin").get(name)
        if own is None:
            continue
        rule = best_rule(report, name)
        rows.append(
            (
                metric.name,
                f"{own['n']}",
                number(own["value"]),
                f"{number(own['low'])} to {number(own['high'])}",
                number(None if rule is None else _figures(report, f"rule/{rule}")[name]["value"]),
                *(number(_figures(report, m).get(name, {}).get("value")) for m in shown),
                number(_bound(report, name)),
                rule or "",
            )
        )
    columns = ("figure", "n", "twin", "95 %", "rule", *(CONTROLS[m] for m in shown))
    return terminal.Table((*columns, "bound", "which rule"), rows, title=task)


def _has(report: Mapping[str, Any], method: str, task: str) -> bool:
    return any(name.endswith(f":{task}") for name in _figures(report, method))


def best_rule(report: Mapping[str, Any], name: str) -> str | None:
    """Return which of the rules beside a figure is the best at it; None without one."""
    from dtb_models.metric_definitions import METRICS
    from dtb_models.rules import rules_beside

    goal = METRICS[name.partition(":")[0]].goal
    values = {
        rule: _figures(report, f"rule/{rule}")[name]["value"]
        for rule in rules_beside(name)
        if name in _figures(report, f"rule/{rule}")
    }
    known = {rule: value for rule, value in values.items() if value is not None}
    if not known:
        return None
    if goal == "higher":
        return max(known, key=lambda rule: known[rule])
    if goal == "lower":
        return min(known, key=lambda rule: known[rule])
    return min(known, key=lambda rule: abs(known[rule] - float(goal)))


def _bound(report: Mapping[str, Any], name: str) -> float | None:
    metric, _, task = name.partition(":")
    if metric != "rt_r":
        return None
    bound: float | None = report["reliability"].get(f"mean_rt:{task}", {}).get("bound_of_truth")
    return bound


def _print_legend(report: Mapping[str, Any]) -> None:
    from dtb_models.metric_definitions import METRICS

    figures = _figures(report, "twin")
    if not figures:
        return
    shown = {name.partition(":")[0] for name in figures}
    rules = {best_rule(report, name) for name in figures} - {None}
    both = figures.get("rt_trial_type_r:both")
    lines = [f"{name}: {METRICS[name].meaning}." for name in METRICS if name in shown]
    if both is not None:
        lines.append(f"rt_trial_type_r over both tasks: {number(both['value'])}.")
    lines += [
        f"{short}: {report['methods'][method]['meaning']}."
        for method, short in CONTROLS.items()
        if method in report["methods"]
    ]
    lines += [
        f"{rule}: {report['methods'][f'rule/{rule}']['meaning']}."
        for rule in sorted(map(str, rules))
    ]
    lines.append("bound: the r that a perfect forecast would have, since response times are noisy.")
    terminal.print_lines(*lines, "")


def _maps_table(maps: Mapping[str, Any]) -> terminal.Table:
    rows = [(name, number(value), "", "") for name, value in maps["group"].items()]
    for task, own in maps["people"].items():
        rows.append(
            (
                f"map_r of each person:{task}",
                number(own["twin_r"]["value"]),
                number(own["rule/mean_of_others_r"]["value"]),
                "",
            )
        )
    for task, found in maps["between_people"].items():
        for name in ("contrast_score", "amygdala"):
            if name in found:
                shuffled = found[f"control/shuffled:{name}"]
                rows.append(
                    (
                        f"{name}_r between people:{task}",
                        number(found[name]["value"]),
                        "",
                        number(shuffled),
                    )
                )
    for task, found in maps["identification"].items():
        if found is not None:
            maps_found = found["maps"]
            rows.append(
                (
                    f"own map closer than another's:{task}",
                    number(maps_found["pairwise_rate"]),
                    number(maps_found["pairwise_chance"]),
                    f"p {maps_found['pairwise_p']:.2g}",
                )
            )
    return terminal.Table(("BOLD", "twin", "mean of others", "shuffled"), rows, title="contrasts")


def _print_hcp(maps: Mapping[str, Any]) -> None:
    people, group = maps["people"], maps["group"]
    rows = [
        (
            "each person's map, mean r",
            number(people["twin_r"]["value"]),
            number(people["rule/mean_of_others_r"]["value"]),
        ),
        ("mean map of all, r", number(group["all_r"]), ""),
        (
            "mean map of half, with the other half's, r",
            number(group["half_against_other_half_r"]),
            number(group["rule/half_against_other_half_r"]),
        ),
        *(
            (f"mean map of {len(half['unseen'])} unseen people, r", number(half["r"]), "")
            for half in group["unseen_half_r"]
        ),
    ]
    columns = (f"{maps['contrast']} over {maps['n_regions']} regions", "twin", "measured maps")
    terminal.print_table(terminal.Table(columns, rows))
    terminal.print_table(_identification_table(maps["identification"]))
    terminal.print_lines(
        "measured maps: the mean of the other people's, or of the half's own, instead of a "
        f"forecast. The mean map of all would have r {number(group['bound'])} with that of as many "
        "other people.",
        "",
    )


def _identification_table(found: Mapping[str, Any]) -> terminal.Table:
    rows = []
    for name, each in found.items():
        if each is None:
            rows.append((f"{name.replace('_', ' ')}: the same forecast for everybody", "", "", ""))
            continue
        rows += [
            (
                f"{name.replace('_', ' ')}: own closer than another's",
                number(each["pairwise_rate"]),
                number(each["pairwise_chance"]),
                number(each["pairwise_p"]),
            ),
            (
                f"{name.replace('_', ' ')}: own closest of all",
                number(each["top_rate"]),
                number(each["top_chance"]),
                number(each["top_p"]),
            ),
        ]
    return terminal.Table(("is the own forecast the closest?", "rate", "chance", "p"), rows)


def _planted_table(planted: Mapping[str, Any]) -> terminal.Table:
    targets = planted["targets"]
    columns = ("twin_r", "ceiling_r", "share_of_ceiling", "control/shuffled_r")
    linear = ("connectome/edge_sums_r", "connectome/components_r")
    rows = []
    for name, found in targets.items():
        twin = found.get("twin_r") or {}
        cells = [twin.get("value"), *(found.get(column) for column in (*columns[1:], *linear))]
        rows.append((name, *(number(cell) for cell in cells)))
    header = ("r over new people", "twin", "ceiling", "share", "shuffled", "CPM", "ridge")
    return terminal.Table(header, rows, title="planted")


def _explained_table(explained: Mapping[str, Mapping[str, float | None]]) -> terminal.Table:
    sources: Sequence[str] = tuple(explained)
    rows = [
        (name, *(number(explained[source].get(name)) for source in sources))
        for name in explained[sources[0]]
    ]
    return terminal.Table(("R2, explained by", *sources), rows, title="planted traits")
