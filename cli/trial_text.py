"""What `dtb-run trial` prints."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import terminal
from .cohort_text import people, print_ending

Found = Mapping[str, Any]


def print_trial(result: Found, out: Path) -> None:
    """Print a trial, from its ``trial.json`` and how the run went.

    Parameters
    ----------
    result : mapping
    out : pathlib.Path
        The folder.
    """
    before = f" ({result['done_before']} of them before)" if result["done_before"] else ""
    terminal.print_lines(
        f"Tried {people(result['n_people'])} with {result['bundle']}{before}: {result['n_ok']} ok, "
        f"{result['n_failed']} failed.",
        "",
    )
    terminal.print_table(terminal.Table(_HEADER, [*_arms(result), *_doses(result)]))
    terminal.print_lines(
        "change: after - before; effect: (before - after) / SD of these twins before; size: SD of "
        f"edges between people. {_sentence(result['rule'])} Brackets are 90 % intervals over "
        "people (of means from 10 people on); how sure the twins are is not in them.",
        *_plans(result),
        *_comparisons(result),
        *_others(result),
        *_predictions(result["prediction"] or {}),
    )
    for sentence in _doubts(result):
        terminal.message(f"Warning: {sentence}")
    print_ending(result, out, n_failed=result["n_failed"], table="trial.tsv", done="was tried")


_HEADER = ("arm", "goal", "change", "effect", "people, 5 % to 95 %", "responders", "size (SD)")


def _arms(result: Found) -> list[tuple[str, ...]]:
    return [
        (
            arm,
            name,
            _number(of["change"]["mean"]),
            _mean(of["effect_sd"]),
            _range(of["effect_sd_quantiles"]),
            _share(found["responders"]),
            _number(found["size_sd"]["mean"], 2),
        )
        for arm, found in result["arms"].items()
        for name, of in found["goals"].items()
    ]


def _doses(result: Found) -> list[tuple[str, ...]]:
    doses = result["doses"]
    return [
        (
            f"{doses['arm']}, dose {dose:g}",
            name,
            "",
            _mean(of["effect_sd"][k]),
            "",
            _share(doses["responders"][k]),
            "",
        )
        for k, dose in enumerate(doses["doses"])
        if dose != 1.0
        for name, of in doses["goals"].items()
    ]


def _comparisons(result: Found) -> list[str]:
    return [
        f"{pair}: {name} {_mean(of)} SD nearer to the goal."
        for pair, goals in result["comparisons"].items()
        for name, of in goals.items()
        if of["mean"] is not None
    ]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _others(result: Found) -> list[str]:
    """What else each plan moves most: holding a mean holds none of its parts."""
    sentences = []
    goals = [goal["name"] for goal in result["goals"]]
    for arm, found in result["arms"].items():
        if arm.startswith("sham"):
            continue
        others = {
            name: of
            for name, of in found["others_moved_sd"].items()
            if of["mean"] is not None and not any(name.startswith(f"{goal}:") for goal in goals)
        }
        most = sorted(others, key=lambda name: -others[name]["mean_absolute"])[:3]
        words = ", ".join(f"{name} {others[name]['mean']:+.2f} SD" for name in most)
        if words:
            sentences.append(f"What else the {arm} plan moves most (mean after - before): {words}.")
    return sentences


def _plans(result: Found) -> list[str]:
    """How far the common plan goes, and why not farther."""
    common = result["plans"].get("common")
    if not common or common["share_possible"] is None:
        return []
    shares = [
        f"{goal['name']} {of['change']['mean'] / goal['change']:.0%} of its goal"
        for goal in result["goals"]
        if (of := result["arms"]["common"]["goals"][goal["name"]])["change"]["mean"] is not None
    ]
    return [
        f"The common plan moves {', '.join(shares)} on average; {common['share_possible']:.0%} of "
        "what it asks for was possible."
    ]


def _doubts(result: Found) -> list[str]:
    from dtb_runtime.arm_tables import REACHED

    plans, said = result["plans"], []
    personal = plans.get("personal")
    if personal and personal["n_reached"] < personal["n"]:
        said.append(
            f"{personal['n'] - personal['n_reached']} of {personal['n']} personal plans do not "
            f"reach their goal, {personal['n_over_budget']} of them for the budget."
        )
    common = plans.get("common")
    if common and common["share_reached_where_made"] < REACHED:
        said.append(
            "The common plan does not reach its goal where it was made: "
            f"{common['share_reached_where_made']:.0%} of it."
        )
    alike = [of["name"] for of in result["goals"] if result["sd_before"][of["name"]] in (None, 0.0)]
    said += [
        f"Nobody differs in {name} before, so there is no effect in SDs; changes stand beside it."
        for name in alike
        if result["n_ok"]
    ]
    lost = {arm: found["n_lost"] for arm, found in result["arms"].items() if found["n_lost"]}
    said += [f"{n} people have no such indicator any more with {arm}." for arm, n in lost.items()]
    return said


def _predictions(prediction: Found) -> list[str]:
    sentences = []
    for arm, responses in prediction.items():
        for name, found in responses.items():
            what = (
                f"how large a change the {arm} plan takes"
                if name == "size_sd"
                else (f"the effect of the {arm} plan on {name}")
            )
            if "left_out" in found:
                sentences.append(f"What predicts {what}: {found['left_out']}")
                continue
            sets = ", ".join(
                f"{which} r {of['r']:.2f} (p {of['p']:.3f})" for which, of in found["sets"].items()
            )
            sentences.append(f"What predicts {what}, in people left out: {sets}.")
    return sentences


def _mean(found: Found) -> str:
    if found["mean"] is None:
        return ""
    if found["low"] is None:
        return f"{found['mean']:+.2f}"
    return f"{found['mean']:+.2f} [{found['low']:+.2f}, {found['high']:+.2f}]"


def _number(value: float | None, digits: int = 4) -> str:
    return "" if value is None else f"{value:.{digits}g}"


def _range(quantiles: Found) -> str:
    if quantiles.get("0.05") is None:
        return ""
    return f"{quantiles['0.05']:+.2f} to {quantiles['0.95']:+.2f}"


def _share(found: Found) -> str:
    return "" if found["share"] is None else f"{found['n']} of {found['of']}"
