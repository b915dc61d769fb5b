"""An evaluation as tables: every figure of the twins beside its best rule, controls and bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import terminal


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
        if _has(report, "twin", task):
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
        terminal.print_lines(*report["planted"]["notes"])
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


def _task_table(report: Mapping[str, Any], task: str) -> terminal.Table:
    from dtb_models.evaluation import MEANINGS
    from dtb_models.metric_definitions import METRICS
    from dtb_models.report_figures import best_rule, bound, method_figures

    controls = {name: method.label for name, method in MEANINGS.items() if name != "twin"}
    shown = [method for method in controls if _has(report, method, task)]
    rows = []
    for metric in METRICS.values():
        name = f"{metric.name}:{task}"
        own = method_figures(report, "twin").get(name)
        if own is None:
            continue
        rule = best_rule(report, name)
        others = [method_figures(report, m).get(name, {}).get("value") for m in shown]
        rows.append(
            (
                metric.name,
                f"{own['n']}",
                number(own["value"]),
                f"{number(own['low'])} to {number(own['high'])}",
                number(None if rule is None else method_figures(report, rule)[name]["value"]),
                *(number(value) for value in others),
                number(bound(report, name)),
                _rule_name(rule),
            )
        )
    columns = ("figure", "n", "twin", "95 %", "rule", *(controls[m] for m in shown))
    return terminal.Table((*columns, "bound", "which rule"), rows, title=task)


def _has(report: Mapping[str, Any], method: str, task: str) -> bool:
    from dtb_models.report_figures import method_figures

    return any(name.endswith(f":{task}") for name in method_figures(report, method))


def _rule_name(method: str | None) -> str:
    return "" if method is None else method.removeprefix("rule/")


def _print_legend(report: Mapping[str, Any]) -> None:
    from dtb_models.evaluation import MEANINGS
    from dtb_models.metric_definitions import METRICS
    from dtb_models.report_figures import best_rule, method_figures

    figures = method_figures(report, "twin")
    if not figures:
        return
    shown = {name.partition(":")[0] for name in figures}
    rules = {rule for name in figures if (rule := best_rule(report, name)) is not None}
    both = figures.get("rt_trial_type_r:both")
    lines = [f"{name}: {METRICS[name].meaning}." for name in METRICS if name in shown]
    if both is not None:
        lines.append(f"rt_trial_type_r over both tasks: {number(both['value'])}.")
    lines += [
        f"{own.label}: {report['methods'][method]['meaning']}."
        for method, own in MEANINGS.items()
        if method in report["methods"] and method != "twin"
    ]
    lines += [
        f"{_rule_name(rule)}: {report['methods'][rule]['meaning']}." for rule in sorted(rules)
    ]
    lines.append("bound: the r that a perfect forecast would have, since response times are noisy.")
    terminal.print_lines(*lines, "")


def _with_interval(figure: Mapping[str, Any] | None) -> str:
    if figure is None or figure["value"] is None:
        return ""
    if figure["low"] is None or figure["high"] is None:
        return number(figure["value"])
    return f"{number(figure['value'])} [{number(figure['low'])}, {number(figure['high'])}]"


def _maps_table(maps: Mapping[str, Any]) -> terminal.Table:
    group: Mapping[str, Any] = maps["group"]
    rows = [
        (name, _with_interval(own), "", _with_interval(group.get(f"control/population:{name}")))
        for name, own in group.items()
        if not name.startswith("control/")
    ]
    for task, own in maps["people"].items():
        rows.append(
            (
                f"map_r of each person:{task}",
                number(own["twin_r"]["value"]),
                number(own["rule/mean_of_others_r"]["value"]),
                number(own["control/shuffled_r"]),
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
    return terminal.Table(
        ("BOLD", "twin", "mean of others", "shuffled; group: population"), rows, title="contrasts"
    )


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
    from dtb_models.evaluation import MEANINGS

    methods = ("control/shuffled", "connectome/edge_sums", "connectome/components")
    columns = ("ceiling_r", "share_of_ceiling", *(f"{method}_r" for method in methods))
    rows = []
    for name, found in planted["targets"].items():
        twin = found.get("twin_r") or {}
        cells = [twin.get("value"), *(found.get(column) for column in columns)]
        rows.append((name, *(number(cell) for cell in cells)))
    labels = [MEANINGS[method].label for method in methods]
    header = ("r over new people", "twin", "ceiling", "share", *labels)
    return terminal.Table(header, rows, title="planted")


def _explained_table(explained: Mapping[str, Mapping[str, float | None]]) -> terminal.Table:
    sources: Sequence[str] = tuple(explained)
    rows = [
        (name, *(number(explained[source].get(name)) for source in sources))
        for name in explained[sources[0]]
    ]
    return terminal.Table(("R2, explained by", *sources), rows, title="planted traits")
