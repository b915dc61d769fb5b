"""A picture of a trial: everybody before and after, effects in each arm, responders by dose."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from dtb_runtime.arm_effects import TrialValues

_INCHES = (13.0, 4.4)
_MOST_LINES = 300
"""People drawn before and after; of more, these are spread over the cohort."""
_RESPONDS, _DOES_NOT = "#c2410c", "0.6"
_COLORS = {
    "personal": "#c2410c",
    "common": "#2563eb",
    "sham_personal": "0.55",
    "sham_common": "0.75",
}


def draw(found: TrialValues, summary: Mapping[str, Any]) -> bytes:
    """Return an SVG picture of the first goal; the same trial gives the same bytes.

    Parameters
    ----------
    found : TrialValues
    summary : mapping
        Content of ``trial.json``.

    Raises
    ------
    MissingDependencyError
        matplotlib is not installed.
    """
    from dtb_runtime.errors import MissingDependencyError

    try:
        import matplotlib as mpl
    except ModuleNotFoundError as cause:
        raise MissingDependencyError(
            "it needs matplotlib, which is not installed: pip install 'dtb-runtime[figures]'"
        ) from cause
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "dtb-runtime", "font.size": 9}):
        figure = Figure(figsize=_INCHES, layout="constrained")
        FigureCanvasSVG(figure)
        paired, effects, doses = figure.subplots(1, 3)
        _paired(paired, found, summary["goals"][0]["unit"])
        _effects(effects, found)
        _doses(doses, summary)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": "dtb-runtime"})
    return buffer.getvalue()


def _paired(axes: Axes, found: TrialValues, unit: str | None) -> None:
    from dtb_runtime.arm_settings import BEFORE, column

    goal, arm = found.settings.goals[0], found.settings.arms[0]
    before = found.values[column(goal.name, BEFORE)]
    after = found.values[column(goal.name, arm)]
    responds = found.responders(arm)
    known = np.flatnonzero(np.isfinite(before) & np.isfinite(after))
    shown = known[np.linspace(0, len(known) - 1, min(len(known), _MOST_LINES)).astype(int)]
    for person in shown.tolist():
        color = _RESPONDS if responds[person] == 1.0 else _DOES_NOT
        axes.plot([0, 1], [before[person], after[person]], color=color, linewidth=0.6, alpha=0.6)
    if len(known):
        means = [before[known].mean(), after[known].mean()]
        axes.plot([0, 1], means, "o-", color="black", linewidth=2)
    axes.set_xticks([0, 1], ["before", f"{arm} plan"])
    axes.set_xlim(-0.2, 1.2)
    axes.set_ylabel(goal.name if unit is None else f"{goal.name} ({unit})")
    axes.set_title(f"{len(known)} people (colored: responders)")


def _effects(axes: Axes, found: TrialValues) -> None:
    goal = found.settings.goals[0]
    values = {arm: found.effects(goal.name, arm) for arm in found.settings.all_arms}
    values = {arm: of[np.isfinite(of)] for arm, of in values.items()}
    everything = np.concatenate(list(values.values()))
    if len(everything):
        low, high = float(everything.min()), float(everything.max())
        width = max(high - low, 1e-6)
        edges = np.linspace(low - 0.02 * width, high + 0.02 * width, 41)
        for arm, of in values.items():
            axes.hist(of, bins=list(edges), alpha=0.55, color=_COLORS[arm], label=arm)
    threshold = -found.responder_share * goal.change / found.sd_before(goal.name)
    if np.isfinite(threshold):
        axes.axvline(threshold, color="0.3", linestyle=":", linewidth=1, label="responder rule")
    _legend(axes)
    axes.set_xlabel("effect: (before - after) / SD before")
    axes.set_ylabel("people")
    axes.set_title(f"Effects on {goal.name}")


def _doses(axes: Axes, summary: Mapping[str, Any]) -> None:
    doses = summary["doses"]
    _shares(axes, doses["doses"], doses["responders"], doses["arm"], "o-")
    for arm, found in summary["arms"].items():
        if arm != doses["arm"]:
            _shares(axes, [1.0], [found["responders"]], arm, "s")
    axes.set_ylim(-3, 103)
    axes.set_xlabel("dose")
    axes.set_ylabel("responders (%), 90 % interval")
    axes.set_title(f"Moved by {summary['responder_share']:g} of every goal")
    _legend(axes)


def _legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[0]:  # where nobody could be forecast there is none
        axes.legend()


def _shares(
    axes: Axes, at: Sequence[float], found: Sequence[Mapping[str, Any]], arm: str, style: str
) -> None:
    known = [(dose, of) for dose, of in zip(at, found, strict=True) if of["share"] is not None]
    if not known:
        return
    share = np.array([100 * of["share"] for _, of in known])
    low = share - [100 * of["low"] for _, of in known]
    high = np.array([100 * of["high"] for _, of in known]) - share
    where = [dose for dose, _ in known]
    bars = np.maximum([low, high], 0.0)
    axes.errorbar(where, share, bars, fmt=style, color=_COLORS[arm], label=arm, capsize=2)
