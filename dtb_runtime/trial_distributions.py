"""When and what a twin presses: the response-time distribution of every trial of one run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import UsageError
from .truncated_exponential import log_density_at, position_of, share_before

NO_RESPONSE = -1
"""Option index that `TrialDistributions.sample` gives to a trial without a response."""
_CHANCES = ("option_probability", "p_no_response", "step_mass")
_END_TOLERANCE_S = 1e-9  # start plus length may fall short of a window's end by rounding


@dataclass(frozen=True, slots=True, eq=False)
class TrialDistributions:
    """When and what a twin presses in each trial of one run.

    Trials differ in length, so arrays over steps are padded to the longest window; padded steps
    have length 0 and mass 0. Times are seconds after the trial's own onset. Arrays are read-only.
    """

    option_probability: NDArray[np.float64]
    """Chance that the option is the one pressed. Shape (n_trials, n_options), in [0, 1]."""

    p_no_response: NDArray[np.float64]
    """Chance that nothing is pressed; 1 minus the row sum above. Shape (n_trials,), in [0, 1]."""

    response_time_s: NDArray[np.float64]
    """Mean response time given a response, in seconds; NaN where a response is impossible.
    Shape (n_trials,)."""

    step_mass: NDArray[np.float64]
    """Chance that the press is this option and falls into this step.
    Shape (n_trials, n_window_steps, n_options)."""

    step_start_s: NDArray[np.float64]
    """Where the step's part inside the window begins. Shape (n_trials, n_window_steps)."""

    step_length_s: NDArray[np.float64]
    """How long that part is, at most one time step. Shape (n_trials, n_window_steps)."""

    step_hazard: NDArray[np.float64]
    """Hazard accumulated over that part, in [0, inf]. It shapes the time of a press inside the
    step: a truncated exponential, uniform where it is 0 and at the step's beginning where it is
    infinite. All 0 under the density reading. Shape (n_trials, n_window_steps)."""

    step_peak: NDArray[np.float64]
    """Largest action output over the options, as the network gave it; 0 in padded steps.
    Shape (n_trials, n_window_steps)."""

    dt_s: float
    """Time step of the main network in seconds."""

    @property
    def n_trials(self) -> int:
        """Number of trials."""
        return len(self.p_no_response)

    @property
    def n_options(self) -> int:
        """Number of response options."""
        return int(self.option_probability.shape[1])

    @property
    def choice(self) -> NDArray[np.int64]:
        """Most probable option of each trial, the first of equals. Shape (n_trials,)."""
        choice: NDArray[np.int64] = self.option_probability.argmax(axis=1)
        return choice

    def with_lapses(self, rate: float) -> TrialDistributions:
        """The same of somebody who lets a share of the trials pass, whatever they are.

        Response times, given a response, stay what they are.

        Parameters
        ----------
        rate : float
            Share of the trials, in [0, 1).
        """
        scaled = {name: getattr(self, name) * (1.0 - rate) for name in _CHANCES}
        scaled["p_no_response"] = rate + scaled["p_no_response"]
        for array in scaled.values():
            array.setflags(write=False)
        return replace(self, **scaled)

    def with_slips(self, rate: float) -> TrialDistributions:
        """The same of somebody who presses just any option in a share of the answers.

        When they press, and whether, stays what it is.

        Parameters
        ----------
        rate : float
            Share of the answers, in [0, 1).
        """
        slipped = {}
        for name in ("option_probability", "step_mass"):
            of_options = getattr(self, name)
            evenly = of_options.mean(axis=-1, keepdims=True)
            slipped[name] = (1.0 - rate) * of_options + rate * evenly
            slipped[name].setflags(write=False)
        return replace(self, **slipped)

    def quantile(self, q: float) -> NDArray[np.float64]:
        """Response time that a share `q` of the responses does not exceed.

        Parameters
        ----------
        q : float
            Share of the responses, in [0, 1]. 0 gives the earliest possible response time.

        Returns
        -------
        numpy.ndarray, shape (n_trials,)
            Seconds after onset, given a response; NaN where a response is impossible.

        Raises
        ------
        UsageError
            If `q` is outside [0, 1].
        """
        if not 0.0 <= q <= 1.0:
            raise UsageError(f"A quantile must lie in [0, 1], but {q} was asked for.")
        cumulative = self._cumulative()
        p_response = cumulative[:, -1]
        time_s = self._time_at(cumulative, q * p_response)
        time_s[p_response == 0.0] = np.nan
        return time_s

    def p_response_by(self, time_s: ArrayLike) -> NDArray[np.float64]:
        """Chance of a response no later than `time_s`, not conditional on a response.

        Parameters
        ----------
        time_s : float or array-like, shape (n_trials,)
            Seconds after each trial's onset.

        Returns
        -------
        numpy.ndarray, shape (n_trials,)
            In [0, 1 - p_no_response].
        """
        time = np.broadcast_to(np.asarray(time_s, dtype=np.float64), (self.n_trials,))
        elapsed_s = time[:, None] - self.step_start_s
        position = np.zeros_like(elapsed_s)
        np.divide(elapsed_s, self.step_length_s, out=position, where=self.step_length_s > 0.0)
        share = share_before(np.clip(position, 0.0, 1.0), self.step_hazard)
        # A certain press sits on the step's beginning, which counts as reached at that very time.
        share[np.isposinf(self.step_hazard) & (elapsed_s >= 0.0)] = 1.0
        p_response: NDArray[np.float64] = (self.step_mass.sum(axis=2) * share).sum(axis=1)
        return p_response

    def log_density(self, time_s: ArrayLike) -> NDArray[np.float64]:
        """Log of the density of the response time, given a response.

        This is what an observed response time scores: the derivative of `p_response_by`, divided
        by the chance of any response. A certain press, whose whole step falls on one point of
        time, counts as spread evenly over its step.

        Parameters
        ----------
        time_s : float or array-like, shape (n_trials,)
            Seconds after each trial's onset.

        Returns
        -------
        numpy.ndarray, shape (n_trials,)
            In log(1/s). -inf where no press can fall, outside the window for instance; NaN where
            `time_s` is, and where a response is impossible.
        """
        time = np.broadcast_to(np.asarray(time_s, dtype=np.float64), (self.n_trials,))
        trial = np.arange(self.n_trials)
        # Steps of the window follow each other without a gap, and padded ones have no length. The
        # window's very end still belongs to its last step.
        begun = (self.step_start_s <= time[:, None]) & (self.step_length_s > 0.0)
        step = np.where(begun, np.arange(begun.shape[1]), 0).max(axis=1)
        length_s = self.step_length_s[trial, step]
        elapsed_s = time - self.step_start_s[trial, step]
        mass = self.step_mass[trial, step].sum(axis=1)
        inside = begun.any(axis=1) & (elapsed_s <= length_s + _END_TOLERANCE_S) & (mass > 0.0)
        position = np.zeros_like(length_s)
        np.divide(elapsed_s, length_s, out=position, where=length_s > 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_density = (
                np.log(mass)
                - np.log(self.step_mass.sum(axis=(1, 2)))
                - np.log(length_s)
                + log_density_at(position, self.step_hazard[trial, step])
            )
        unknown = np.isnan(time) | np.isnan(self.response_time_s)
        return np.where(unknown, np.nan, np.where(inside, log_density, -np.inf))

    def first_crossing_s(self, threshold: float = 0.5) -> NDArray[np.float64]:
        """Response time as the paper reads it: the first step whose output reaches a threshold.

        Steps are counted from the step that holds the onset, so this is a multiple of the time
        step, and it knows nothing of chance. It stands beside the mean where the paper's figures
        are compared.

        Parameters
        ----------
        threshold : float
            Output that counts as a press, in (0, 1].

        Returns
        -------
        numpy.ndarray, shape (n_trials,)
            Seconds; NaN where no option's output reaches `threshold` inside the window.

        Raises
        ------
        UsageError
            If `threshold` is outside (0, 1].
        """
        if not 0.0 < threshold <= 1.0:
            raise UsageError(f"A crossing threshold must lie in (0, 1], but {threshold} was given.")
        crossed = self.step_peak >= threshold
        return np.where(crossed.any(axis=1), crossed.argmax(axis=1) * self.dt_s, np.nan)

    def sample(self, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Draw one response per trial.

        Parameters
        ----------
        rng : numpy.random.Generator
            Two numbers per trial are drawn from it, whatever the outcome.

        Returns
        -------
        option : numpy.ndarray, shape (n_trials,)
            Index of the option pressed, `NO_RESPONSE` where none is.
        response_time_s : numpy.ndarray, shape (n_trials,)
            Seconds after onset, NaN where there is no response.
        """
        draws = rng.random((2, self.n_trials))
        cumulative = self._cumulative()
        responded = draws[0] < cumulative[:, -1]
        level = np.where(responded, draws[0], 0.0)
        mass = self.step_mass[np.arange(self.n_trials), self._step_at(cumulative, level)]
        within = mass.cumsum(axis=1)
        # Below the last sum, so that rounding never points past the last option, and compared with
        # `<=`, which passes over options that have no mass.
        total = within[:, -1:]
        mark = np.minimum(draws[1, :, None] * total, np.nextafter(total, 0.0))
        option = (within <= mark).sum(axis=1)
        time_s = self._time_at(cumulative, level)
        return np.where(responded, option, NO_RESPONSE), np.where(responded, time_s, np.nan)

    def _cumulative(self) -> NDArray[np.float64]:
        """Chance of a response up to the end of each step. Shape (n_trials, n_window_steps)."""
        cumulative: NDArray[np.float64] = self.step_mass.sum(axis=2).cumsum(axis=1)
        return cumulative

    def _step_at(
        self, cumulative: NDArray[np.float64], level: NDArray[np.float64]
    ) -> NDArray[np.int64]:
        """Step in which the chance of a response reaches `level`. Shape (n_trials,)."""
        column = level[:, None]
        # Level 0 is reached before the first step that has mass, not at the first step.
        before = np.where(column > 0.0, cumulative < column, cumulative <= 0.0)
        step: NDArray[np.int64] = np.minimum(before.sum(axis=1), cumulative.shape[1] - 1)
        return step

    def _time_at(
        self, cumulative: NDArray[np.float64], level: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Time at which the chance of a response reaches `level`. Shape (n_trials,)."""
        trial = np.arange(self.n_trials)
        step = self._step_at(cumulative, level)
        mass = self.step_mass[trial, step].sum(axis=1)
        before = np.where(step > 0, cumulative[trial, step - 1], 0.0)
        share = np.zeros_like(level)
        np.divide(level - before, mass, out=share, where=mass > 0.0)
        position = position_of(np.clip(share, 0.0, 1.0), self.step_hazard[trial, step])
        return self.step_start_s[trial, step] + position * self.step_length_s[trial, step]
