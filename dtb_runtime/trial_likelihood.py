"""How probable a person's trials are under a latent: a survival likelihood, step by step.

In each step of a trial's window, until the press, every option of the task is pressed or not, with
the hazard that the main network gives. A trial without an answer is a window without a press, or a
lapse. After a wrong answer among three options the pressed one is not known; its probability is the
sum over those that it can have been.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .inference import PEOPLE_PER_CALL
from .observed_run import ObservedRun
from .press_targets import press_targets
from .stimulus import network_input
from .tasks import get_task

if TYPE_CHECKING:
    from .bundle import Bundle

SLIPS = 0.03
"""Share of presses whose option says nothing about the person: slips of the finger, on any option
alike. Without them one wrong press, which a network may think all but impossible, would outweigh
dozens of other trials (a lapse rate as in Wichmann & Hill 2001)."""
LAPSES = 0.01
"""Share of trials, at least, that get no answer whatever the person's speed: eyes closed, a hand
moved. Without them one missed trial of a fast person could only mean that the person is slow, and
what is missed is to tell of missing answers, not of response times."""
_SMALLEST, _LARGEST = 1e-38, 1.0 - 2.0**-25
# Actions are float32, where a sure press is exactly 1 and an impossible one 0; neither has a logit.


@dataclass(frozen=True, slots=True, eq=False)
class RunEvidence:
    """What one run's trials are held against."""

    task: str
    """Name of the task."""
    stimulus: NDArray[np.float32]
    """Network input up to the last observed trial's end, shape (n_steps, n_inputs)."""
    steps: NDArray[np.int64]
    """Steps in which a press, or none, was observed, shape (n_observed_steps,)."""
    pressed: NDArray[np.bool_]
    """Options that the press can have been, shape (n_observed_steps, n_options); mostly none."""
    missed: tuple[slice, ...]
    """Where in `steps` each trial without an answer lies."""

    @property
    def n_answered(self) -> int:
        """Trials with an answer that can be used."""
        return int(self.pressed.any(axis=1).sum())

    @classmethod
    def of(cls, run: ObservedRun, n_actions: int) -> RunEvidence:
        """What a run tells; steps outside the windows of its trials tell nothing."""
        task, events = get_task(run.task), run.events
        targets, counted = press_targets(events, run.responses, n_actions, masked=True)
        trial_at = np.full(len(counted), -1)
        for trial, (first, last) in enumerate(
            zip(events.onset_step, events.offset_step, strict=True)
        ):
            trial_at[first:last] = trial
        pressed = targets[:, : len(task.options)] > 0
        # A response at the very end of its window falls into the step after it.
        observed = counted & ((trial_at >= 0) | pressed.any(axis=1))
        steps = np.flatnonzero(observed)
        n_steps = int(steps[-1]) + 1 if len(steps) else 1
        stimulus = network_input(task.stimulus(events)[:n_steps])
        without = run.responses.usable & np.isnan(run.responses.response_time_s)
        # Trials follow one another, so the steps of each lie side by side.
        of_trial = [np.flatnonzero(trial_at[steps] == trial) for trial in np.flatnonzero(without)]
        missed = tuple(slice(int(at[0]), int(at[-1]) + 1) for at in of_trial if len(at))
        return cls(run.task, stimulus, steps, pressed[steps], missed)


@dataclass(frozen=True, slots=True, eq=False)
class TrialLikelihood:
    """The likelihood of one person's trials, as a function of the latent."""

    bundle: Bundle
    runs: tuple[RunEvidence, ...]
    lapse_rates: Mapping[str, float] = field(default_factory=dict)
    """Share of a task's trials that are lapses, in (0, 1); `LAPSES` for a task without one."""

    @classmethod
    def of(cls, bundle: Bundle, runs: Iterable[ObservedRun]) -> TrialLikelihood:
        """The likelihood of whole runs (`join_runs`)."""
        evidence = (RunEvidence.of(run, bundle.manifest.n_actions) for run in runs)
        return cls(bundle, tuple(each for each in evidence if len(each.steps)))

    def with_lapses(self, rates: Mapping[str, float]) -> TrialLikelihood:
        """The same trials of somebody who lapses as often as this, and no less than anybody."""
        return replace(self, lapse_rates={task: max(r, LAPSES) for task, r in rates.items()})

    def logits(self, latents: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        """Logits of the hazards in the observed steps.

        Parameters
        ----------
        latents : numpy.ndarray, shape (n, latent_size)

        Returns
        -------
        list of numpy.ndarray, shape (n, n_observed_steps, n_options)
            One array a run.
        """
        weights = self.bundle.decode(latents.astype(np.float32))
        logits = []
        for run in self.runs:
            n_options = run.pressed.shape[1]
            outputs = np.empty((len(latents), *run.pressed.shape))
            for first in range(0, len(latents), PEOPLE_PER_CALL):
                some = slice(first, first + PEOPLE_PER_CALL)
                actions, _, _ = self.bundle.run_main(weights[some], run.stimulus)
                outputs[some] = actions[:, run.steps, :n_options]
            np.clip(outputs, _SMALLEST, _LARGEST, out=outputs)
            logits.append(np.log(outputs) - np.log1p(-outputs))
        return logits

    def log_likelihood(self, logits: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Log probability of the trials in nats, shape (n,), from `logits`."""
        total = np.zeros(len(logits[0]) if logits else 0)
        for run, own in zip(self.runs, logits, strict=True):
            lapse_rate = self.lapse_rates.get(run.task, LAPSES)
            lapse, no_lapse = np.log(lapse_rate), np.log1p(-lapse_rate)
            survival = -np.logaddexp(0.0, own).sum(axis=2)
            for steps in run.missed:
                total += np.logaddexp(lapse, no_lapse + survival[:, steps].sum(axis=1))
                survival[:, steps] = 0.0
            total += survival.sum(axis=1) + run.n_answered * no_lapse
            presses = run.pressed.any(axis=1)
            candidates = own[:, presses] + _log_chances(run.pressed[presses])
            total += np.logaddexp.reduce(candidates, axis=2).sum(axis=1)
        return total

    def residuals(
        self, logits: Sequence[NDArray[np.float64]]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Slope and curvature of the negative log likelihood in each logit, of one latent.

        Parameters
        ----------
        logits : sequence of numpy.ndarray, shape (n_observed_steps, n_options)
            One array a run.

        Returns
        -------
        slope, curvature : numpy.ndarray
            Of all runs, one after the other. The curvature is Fisher's, which is never negative.
        """
        slopes, curvatures = [], []
        for run, own in zip(self.runs, logits, strict=True):
            p = np.exp(-np.logaddexp(0.0, -own))
            share = np.zeros_like(p)
            presses = run.pressed.any(axis=1)
            candidates = own[presses] + _log_chances(run.pressed[presses])
            odds = np.exp(candidates - candidates.max(axis=1, keepdims=True))
            share[presses] = odds / odds.sum(axis=1, keepdims=True)
            # What of each step is about hazards: of a missed trial, what is no lapse.
            counts = np.ones((len(p), 1))
            lapse_rate = self.lapse_rates.get(run.task, LAPSES)
            for steps in run.missed:
                counts[steps] = chance_of_no_lapse(own[steps], lapse_rate)
            slopes.append((counts * (p - share)).ravel())
            curvatures.append((counts * p * (1.0 - p)).ravel())
        return np.concatenate(slopes), np.concatenate(curvatures)


def log_survival(logits: NDArray[np.float64]) -> float:
    """Log chance that nothing is pressed in a window, from the logits of its steps."""
    return float(-np.logaddexp(0.0, logits).sum())


def chance_of_no_lapse(logits: NDArray[np.float64], lapse_rate: float = LAPSES) -> float:
    """Chance that a missed trial was no lapse, from the logits of its window."""
    survived = np.log1p(-lapse_rate) + log_survival(logits)
    return float(np.exp(survived - np.logaddexp(np.log(lapse_rate), survived)))


def _log_chances(pressed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Log chance of the answer that was seen, given the option that the network pressed.

    With the chance of no slip it is that option's own answer, else any option's alike.

    Parameters
    ----------
    pressed : numpy.ndarray, shape (n, n_options)
        Options that stand for the answer, at least one a row.
    """
    by_slip = pressed.sum(axis=1, keepdims=True) / pressed.shape[1]
    return np.asarray(np.log((1 - SLIPS) * pressed + SLIPS * by_slip), dtype=np.float64)
