"""The general linear model that turns BOLD into one contrast per region.

Columns of the design: for each trial type the boxcar of its trials convolved with the Glover
response, and the response's time derivative orthogonal to it; cosine drifts below 0.01 Hz; a
constant. Ordinary least squares. The numbers are those of nilearn's
``make_first_level_design_matrix(hrf_model="glover + derivative", drift_model="cosine",
high_pass=0.01)`` and its OLS contrasts, without nilearn.

The drift terms number ``floor(2 * n_frames * tr_s * 0.01)``: 7 for the 493 frames of the hammer
run and 8 for the 510 frames of the stroop run.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from .errors import DataError, EventsError
from .hrf import glover_derivative, glover_hrf

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from .events import Events

HIGH_PASS_HZ = 0.01
"""Drifts slower than this are modeled and so taken out of the contrasts."""

# nilearn's defaults: boxcars are drawn on a grid of 50 samples per frame that begins 24 s before
# the first frame.
_OVERSAMPLING = 50
_LEAD_IN_S = 24.0

# A direction of the design counts as absent below this share of the strongest one.
_MAX_PART = 2**20  # numbers held at a time
_RANK_TOLERANCE = 1e-10
_LITTLE = 1e-6  # of a series' sum of squares


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """A design matrix with what least squares needs of it, computed once. Arrays are read-only."""

    matrix: NDArray[np.float64]
    """Regressors. Shape (n_frames, n_columns)."""

    columns: tuple[str, ...]
    """Their names, as nilearn gives them: ``face``, ``face_derivative``, ..., ``drift_1``, ...,
    ``constant``. Shape (n_columns,)."""

    basis: NDArray[np.float64]
    """Orthonormal basis of the columns' span. Shape (n_frames, rank)."""

    solver: NDArray[np.float64]
    """``basis.T @ bold`` times this gives the least-squares effects. Shape (n_columns, rank)."""

    degrees_of_freedom: int
    """Frames minus rank."""

    source: str
    """Where the events came from, for messages."""

    @property
    def n_frames(self) -> int:
        """Number of BOLD frames."""
        return len(self.matrix)

    def why_no_contrast(self, contrast: tuple[str, str]) -> str | None:
        """Say in a sentence why this design cannot give a contrast; None if it can.

        Parameters
        ----------
        contrast : tuple of two str
            Trial type counted positive, trial type counted negative.
        """
        name = f"{contrast[0]} > {contrast[1]}"
        absent = [trial_type for trial_type in contrast if trial_type not in self.columns]
        if absent:
            return (
                f"The contrast {name} needs trials of both types, but {self.source} has no "
                f"{' and no '.join(absent)} trials."
            )
        if self.degrees_of_freedom < 1:
            return (
                f"The contrast {name} needs more BOLD frames than the {len(self.columns)} columns "
                f"of the design, but {self.source} gives {self.n_frames} frames."
            )
        weights = self._weights(contrast)
        reached = (weights @ self.solver) @ (self.basis.T @ self.matrix)
        if not np.allclose(reached, weights, atol=1e-6):
            return (
                f"The contrast {name} cannot be told from the other regressors with the trials of "
                f"{self.source}: vary the order or the spacing of its trials."
            )
        return None

    def _weights(self, contrast: tuple[str, str]) -> NDArray[np.float64]:
        weights = np.zeros(len(self.columns))
        weights[self.columns.index(contrast[0])] += 1.0
        weights[self.columns.index(contrast[1])] -= 1.0
        return weights


@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """One contrast of a GLM in every region. Arrays are read-only."""

    positive: str
    """Trial type counted positive."""

    negative: str
    """Trial type counted negative."""

    estimate: NDArray[np.float64]
    """Difference of the two effects, in the unit of the BOLD given. Shape (n_regions,)."""

    t: NDArray[np.float64]
    """`estimate` over its standard error; NaN for a region whose series the design explains
    without any rest (a flat one, for example). Shape (n_regions,)."""

    degrees_of_freedom: int
    """Of `t`."""


def design_matrix(events: Events, n_frames: int, tr_s: float) -> Design:
    """Build the GLM's design for one run.

    The last designs are kept, keyed by the trials themselves, so asking again for the same
    schedule costs nothing.

    Parameters
    ----------
    events : Events
        The run's trials; onset, duration and trial group are used.
    n_frames : int
        Number of BOLD frames; frame k is taken at ``k * tr_s``.
    tr_s : float
        Repetition time in seconds.

    Returns
    -------
    Design
        Trial types in alphabetical order, each followed by its derivative; then drifts; then the
        constant.

    Raises
    ------
    DataError
        If there are fewer than two frames.
    """
    if n_frames < 2:
        raise DataError(
            f"A GLM needs at least 2 BOLD frames, but {events.source} gives {n_frames}."
        )
    return _design(
        events.trial_group,
        tuple(events.onset_s.tolist()),
        tuple(events.duration_s.tolist()),
        n_frames,
        tr_s,
        events.source,
    )


def fit_contrast(bold: NDArray[np.floating], design: Design, contrast: tuple[str, str]) -> Contrast:
    """Fit the GLM by ordinary least squares in every region and take one contrast.

    Parameters
    ----------
    bold : numpy.ndarray, shape (n_frames, n_regions)
        BOLD at the repetition time, in any unit.
    design : Design
        Design of the same run.
    contrast : tuple of two str
        Trial type counted positive, trial type counted negative.

    Returns
    -------
    Contrast
        Estimate and t for each region.

    Raises
    ------
    DataError
        If `bold` has another number of frames than the design, or is not finite.
    EventsError
        If the design cannot give the contrast; the message is that of
        `Design.why_no_contrast`.
    """
    problem = design.why_no_contrast(contrast)
    if problem is not None:
        raise EventsError(problem)
    if bold.ndim != 2 or len(bold) != design.n_frames:
        raise DataError(
            f"BOLD must have shape ({design.n_frames} frames, regions) to fit the design of "
            f"{design.source}, but has shape {bold.shape}."
        )
    series = bold.astype(np.float64)
    if not np.isfinite(series).all():
        frame, region = np.argwhere(~np.isfinite(series))[0]
        raise DataError(
            f"BOLD must be finite, but is {series[frame, region]} in frame {frame} of region "
            f"{region} (counted from 0)."
        )
    coordinates = design.basis.T @ series
    weights = design._weights(contrast) @ design.solver
    estimate = weights @ coordinates
    total = np.einsum("fr,fr->r", series, series)
    rest = total - np.einsum("kr,kr->r", coordinates, coordinates)  # the basis is orthonormal
    # Where little is left of a large sum, most of its digits are gone.
    little = rest <= _LITTLE * total
    if little.any():
        residual = series[:, little] - design.basis @ coordinates[:, little]
        rest[little] = np.einsum("fr,fr->r", residual, residual)
    # What is left of an exactly explained series is rounding, and a t from it would be noise.
    explained = rest <= total * (design.n_frames * np.finfo(np.float64).eps) ** 2
    error = np.sqrt(rest / design.degrees_of_freedom * (weights @ weights))
    t = np.full_like(estimate, np.nan)
    np.divide(estimate, error, out=t, where=~explained)
    for array in (estimate, t):
        array.flags.writeable = False
    return Contrast(*contrast, estimate, t, design.degrees_of_freedom)


def structure_bold(
    bold: NDArray[np.floating],
    region_labels: Sequence[str],
    structures: Mapping[str, Sequence[str]],
) -> dict[str, NDArray[np.float64]]:
    """Average BOLD over the regions of each named structure.

    A structure's t is the t of this mean series, as in a study that averages over an anatomical
    mask; it is not the mean of its regions' t.

    Parameters
    ----------
    bold : numpy.ndarray, shape (n_frames, n_regions)
        BOLD of the regions in `region_labels`.
    region_labels : sequence of str
        Labels of the columns of `bold`.
    structures : mapping of str to sequence of str
        Labels of each structure's regions, such as ``{"right_amygdala": ["lAMY-rh", "mAMY-rh"]}``.

    Returns
    -------
    dict of str to numpy.ndarray, shape (n_frames,)
        One series per structure; a structure of which a region is not among `region_labels`, or
        which names none, is left out.
    """
    column = {label: index for index, label in enumerate(region_labels)}
    return {
        name: bold[:, [column[label] for label in labels]].mean(axis=1, dtype=np.float64)
        for name, labels in structures.items()
        if labels and all(label in column for label in labels)
    }


@lru_cache(maxsize=32)
def _design(
    trial_types: tuple[str, ...],
    onsets_s: tuple[float, ...],
    durations_s: tuple[float, ...],
    n_frames: int,
    tr_s: float,
    source: str,
) -> Design:
    onset = np.array(onsets_s)
    end = onset + np.array(durations_s)
    names: list[str] = []
    columns: list[NDArray[np.float64]] = []
    for trial_type in sorted(set(trial_types)):
        chosen = np.array([each == trial_type for each in trial_types])
        names += [trial_type, f"{trial_type}_derivative"]
        columns += _responses(onset[chosen], end[chosen], n_frames, tr_s)
    drifts = _cosine_drifts(n_frames, tr_s)
    names += [f"drift_{k}" for k in range(1, len(drifts) + 1)] + ["constant"]
    matrix = np.column_stack([*columns, *drifts, np.ones(n_frames)])

    left, strength, right = np.linalg.svd(matrix, full_matrices=False)
    rank = int((strength > _RANK_TOLERANCE * strength[0]).sum())
    basis = np.ascontiguousarray(left[:, :rank])
    solver = right[:rank].T / strength[:rank]
    for array in (matrix, basis, solver):
        array.flags.writeable = False
    return Design(matrix, tuple(names), basis, solver, n_frames - rank, source)


def _responses(
    onset_s: NDArray[np.float64], end_s: NDArray[np.float64], n_frames: int, tr_s: float
) -> list[NDArray[np.float64]]:
    """Boxcars convolved with the response and with its derivative, each at the frames.

    A boxcar convolved with a kernel is a difference of the kernel's running sum, taken at the time
    since onset and at the time since the end. So the convolution is evaluated at the frames alone
    and never on the fine grid.
    """
    # The grid is nilearn's to the last bit (so its arithmetic is, too), because an onset on a grid
    # point must fall on the same side of it.
    frame_s = np.arange(n_frames) * tr_s
    run_end_s = float(frame_s[-1]) * (1 + 1.0 / (n_frames - 1))
    frame_rate = (n_frames - 1) * 1.0 / float(frame_s[-1])
    n_grid = round(frame_rate * ((run_end_s + _LEAD_IN_S) * _OVERSAMPLING) + 1)
    grid_s = np.linspace(-_LEAD_IN_S, run_end_s, n_grid)
    start = np.minimum(np.searchsorted(grid_s, onset_s), n_grid - 1)
    stop = np.minimum(np.searchsorted(grid_s, end_s), n_grid - 1)
    # A trial too short for the grid still lasts one sample.
    stop[(stop == start) & (stop < n_grid - 1)] += 1

    after = np.clip(np.searchsorted(grid_s, frame_s), 1, n_grid - 1)
    share = (frame_s - grid_s[after - 1]) / (grid_s[after] - grid_s[after - 1])

    step_s = float(np.diff(frame_s).min()) / _OVERSAMPLING
    regressors = []
    for kernel in (glover_hrf(step_s), glover_derivative(step_s)):
        # Entry 0 stands for every time before the trial.
        running = np.concatenate([[0.0], kernel.cumsum()])
        at_grid = [
            _sum_over_trials(running, index, start) - _sum_over_trials(running, index, stop)
            for index in (after - 1, after)
        ]
        regressors.append(at_grid[0] + share * (at_grid[1] - at_grid[0]))
    response, derivative = regressors
    power = response @ response
    if power > 0.0:
        derivative = derivative - response * (response @ derivative / power)
    return [response, derivative]


def _sum_over_trials(
    running: NDArray[np.float64], index: NDArray[np.intp], start: NDArray[np.intp]
) -> NDArray[np.float64]:
    # In parts, because frames times trials of a long run do not fit into memory.
    n_parts = 1 + index.size * start.size // _MAX_PART
    totals = [
        running[np.clip(part[:, None] - start + 1, 0, len(running) - 1)].sum(axis=1)
        for part in np.array_split(index, n_parts)
    ]
    return np.concatenate(totals)


def _cosine_drifts(n_frames: int, tr_s: float) -> list[NDArray[np.float64]]:
    frame_distance_s = (n_frames - 1) * tr_s / (n_frames - 1)
    n_drifts = min(n_frames - 1, math.floor(2 * n_frames * HIGH_PASS_HZ * frame_distance_s))
    phase = np.pi / n_frames * (np.arange(n_frames) + 0.5)
    return [np.sqrt(2.0 / n_frames) * np.cos(phase * k) for k in range(1, n_drifts + 1)]
