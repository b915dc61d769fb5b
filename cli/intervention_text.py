"""What `dtb-run intervene` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import terminal

if TYPE_CHECKING:
    from dtb_runtime.gradients import FoundPlan

_HEADER = (
    *("indicator", "before", "after", "change (SD)"),
    *("random (SD)", "farther than random (%)"),
)
_PLACES = {
    "edges": "edges",
    "regions": "regions scaled as wholes",
    "networks": "pairs of networks",
}


def print_intervention(result: dict[str, Any], source: str) -> None:
    """Print what an intervention does, from `summary_of`.

    Parameters
    ----------
    result : dict
    source : str
        The connectome's file.
    """
    from dtb_runtime.report_numbers import signed

    change = result["change"]
    size = f"{change['size_r']:.3f} in r (root mean square over edges)"
    if change["size_sd"] is not None:
        size += f", {change['size_sd']:.2f} SD between people"
    terminal.print_lines(
        f"{source}: change of up to {change['places']} {_PLACES[change['kind']]}, {size}; "
        f"{change['share_possible']:.0%} of what the plan asks for is possible here; smallest "
        f"eigenvalue {change['smallest_eigenvalue_before']:.2g} before, "
        f"{change['smallest_eigenvalue']:.2g} after.",
        *_strangeness(result["strangeness"]),
        "",
    )
    aims = {goal["name"] for goal in result["plan"]["goals"]}
    rows = [
        (
            f"{name} *" if name in aims else name,
            f"{of['before']:.4g}",
            f"{of['after']:.4g}",
            signed(of["effect_sd"]),
            _range(of["random_effect_sd_90"]),
            "" if of["percentile_of_random"] is None else f"{of['percentile_of_random']:.0f}",
        )
        for name, of in result["indicators"].items()
    ]
    header = (
        "indicator",
        "before",
        "after",
        "change (SD)",
        "random (SD)",
        "farther than random (%)",
    )
    terminal.print_table(terminal.Table(header, rows))
    random = (
        f" Random: 5 % to 95 % of {result['n_random']} random changes of the same size; to be "
        "farther says that the plan aims, not that the change is large."
    )
    terminal.print_lines(
        "* what was to move. SDs are those of the training cohort."
        + (random if result["n_random"] else "")
    )
    promise = result.get("promise")
    if promise is not None:
        (goal,) = result["plan"]["goals"]
        terminal.print_lines(
            f"W + alpha v with alpha {promise['alpha']:+.2f} SD of the score promised "
            f"{promise['promised'] / goal['change']:.0%} of the goal; the edited connectome, whose "
            f"score moved by {promise['score_moved']:+.2f} SD, gives "
            f"{promise['reached'] / goal['change']:.0%}. In people left out of the direction's "
            f"cohort of {promise['n_people']} the score goes with the indicator by r "
            f"{promise['direction_r_left_out']:.2f}."
        )
    for warning in result["warnings"]:
        terminal.message(f"Warning: {warning}")


def _strangeness(found: dict[str, float | None]) -> list[str]:
    before, after = found["distance_percentile_before"], found["distance_percentile_after"]
    if before is None or after is None:
        return []
    return [
        f"Farther from the mean of the training cohort than {before:.0f} % of its people before, "
        f"{after:.0f} % after."
    ]


def _range(ends: list[float] | None) -> str:
    from dtb_runtime.report_numbers import signed

    return "" if ends is None else f"{signed(ends[0])} to {signed(ends[1])}"


def how_far(found: FoundPlan, budget: float) -> str:
    """Why a plan does not reach its goals, and what to do."""
    goals = found.plan.goals
    shares = ", ".join(
        f"{goal.name} {found.plan.reached[goal.name] / goal.change:.0%}" for goal in goals
    )
    if not found.is_within_budget:
        return (
            f"The goal is not reached within the budget of {budget:g} SD of edges: {shares} of it "
            "is. Raise --budget, or ask for less."
        )
    promise = found.promise
    if promise is not None and promise.promised / goals[0].change >= 1.0:
        return (
            f"The edited connectome does not give all that W + alpha v promised, as is usual: "
            f"{shares} of the goal. Ask for more (--size), or leave out --method pls for a plan by "
            "the person's own gradients."
        )
    if promise is not None:
        return (
            f"The goal is not reached: W + alpha v promises at most "
            f"{promise.promised / goals[0].change:.0%} of it within {abs(promise.alpha):.1f} SD. "
            "Ask for less, or leave out --method pls."
        )
    return (
        f"The goal cannot be reached by such changes of this connectome: {shares} of it is. Ask "
        "for less, hold fewer indicators, or allow more edges or regions."
    )
