"""The response windows of a run, cut out of the main network's action outputs.

A trial's onset lies between two points of the 80-ms grid as a rule, and so does its end. The first
and the last step of a window are therefore cut to the part inside ``[onset, onset + duration)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .events import Events


@dataclass(frozen=True, slots=True, eq=False)
class ResponseWindows:
    """One window per trial, all padded to the length of the longest."""

    outputs: NDArray[np.float64]
    """Action outputs, 0 in padded steps. Shape (n_trials, n_window_steps, n_options)."""

    fraction: NDArray[np.float64]
    """Share of the step that lies in the window, in [0, 1]. Shape (n_trials, n_window_steps)."""

    start_s: NDArray[np.float64]
    """Where that part begins, in seconds after the onset. Shape (n_trials, n_window_steps)."""

    dt_s: float
    """Time step in seconds."""

    @classmethod
    def cut(
        cls, actions: NDArray[np.floating], events: Events, n_options: int, dt_s: float
    ) -> ResponseWindows:
        """Cut the windows of `events` out of `actions`; see `responses.read_hazards`."""
        _check_actions(actions, events, n_options)
        first = events.onset_step
        n_window_steps = max(int((events.offset_step - first).max(initial=0)), 1)
        steps = first[:, None] + np.arange(n_window_steps)
        inside = steps < events.offset_step[:, None]

        # In units of steps, so that whole steps get a fraction of exactly 1.
        onset = events.onset_s[:, None] / dt_s
        end = (events.onset_s + events.duration_s)[:, None] / dt_s
        begins = np.clip(onset - steps, 0.0, 1.0)
        ends = np.clip(end - steps, 0.0, 1.0)
        fraction = np.where(inside, np.maximum(ends - begins, 0.0), 0.0)
        start_s = np.maximum(steps - onset, 0.0) * dt_s

        rows = np.minimum(steps, len(actions) - 1)
        outputs = np.where(inside[:, :, None], actions[rows, :n_options], 0.0).astype(np.float64)
        return cls(outputs, fraction, start_s, dt_s)


def _check_actions(actions: NDArray[np.floating], events: Events, n_options: int) -> None:
    if actions.ndim != 2 or actions.shape[1] < n_options or len(actions) == 0:
        raise DataError(
            f"Action outputs must have shape (steps, at least {n_options} actions), but have shape "
            f"{actions.shape}."
        )
    n_steps_needed = int(events.offset_step.max(initial=0))
    if len(actions) < n_steps_needed:
        raise DataError(
            f"Action outputs cover {len(actions)} steps, but the last response window of "
            f"{events.source} ends at step {n_steps_needed}. Run the main network over the whole "
            f"schedule."
        )
    options = actions[:, :n_options]
    lowest, highest = float(options.min()), float(options.max())
    # Written so that NaN, which passes no comparison, is caught too.
    if not (lowest >= 0.0 and highest <= 1.0):
        found = "NaN" if np.isnan(options).any() else f"values from {lowest:g} to {highest:g}"
        raise DataError(
            f"Action outputs must lie in [0, 1] (after the sigmoid), but {found} were found."
        )
