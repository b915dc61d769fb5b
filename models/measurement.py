"""What a trained network gets right on people held out of its training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dtb_runtime.glm import design_matrix, fit_contrast
from dtb_runtime.responses import read_densities, read_hazards
from dtb_runtime.tasks import DT_S, TR_S, get_task
from dtb_runtime.trial_distributions import TrialDistributions

from .cohorts import Participant, Run
from .hypernetwork import TwinNetwork
from .tensors import TrainingData

FEWEST_FOR_R = 5
"""A correlation over fewer people says nothing and is left out."""


@dataclass(frozen=True, slots=True)
class RunForecast:
    """A twin's answer to the events that its person really saw."""

    participant: Participant
    run: Run
    distributions: TrialDistributions
    bold: NDArray[np.float32]
    """(n_frames, n_bold) in SDs of the training data."""
    measured_bold: NDArray[np.float32] | None
    """The same as it was measured, as far as the scan went; None if there was no scan."""


@torch.no_grad()
def run_forecasts(
    network: TwinNetwork, participants: Sequence[Participant], data: TrainingData
) -> Iterator[RunForecast]:
    """Yield the forecast of every run of every participant.

    Parameters
    ----------
    network : TwinNetwork
    participants : sequence of Participant
    data : TrainingData
        Made from the same participants.
    """
    read = read_hazards if network.config.action_reading == "hazard" else read_densities
    for block in data.blocks:
        n_options = len(get_task(block.task).options)
        for row, i in enumerate(block.people):
            weights = network.weights(data.edges[i : i + 1])
            output = network.run(weights, block.stimulus[row : row + 1].float())
            run = participants[i].run(block.run)
            n_measured = int(block.bold_counted[row].sum())
            actions = torch.sigmoid(output.action_logits[0, : run.events.n_steps]).numpy()
            yield RunForecast(
                participant=participants[i],
                run=run,
                distributions=read(actions, run.events, n_options, DT_S),
                bold=output.bold[0, : run.events.n_frames].numpy(),
                measured_bold=block.bold[row, :n_measured].numpy() if n_measured else None,
            )


def held_out_figures(forecasts: Sequence[RunForecast]) -> dict[str, float]:
    """Return figures over people, by task.

    ``reaction_time_r:<task>`` and ``reaction_time_rmse_s:<task>``: mean response time of the
    person's correct trials against the twin's mean of the same trials, over people.
    ``choice_concordance:<task>``: share of answered trials in which the twin's most probable
    option is the one the person pressed, as far as that is known (right where right; a wrong press
    counts against a twin that expected the right one).
    ``group_contrast_r:<task>``: the task's contrast, averaged over people, forecast against
    measured, over regions.
    """
    figures = _contrast_figures(forecasts)
    for task in sorted({f.run.task for f in forecasts}):
        observed: dict[str, list[NDArray[np.float64]]] = {}
        expected: dict[str, list[NDArray[np.float64]]] = {}
        hits: list[NDArray[np.bool_]] = []
        for f in forecasts:
            if f.run.task != task:
                continue
            responses, name = f.run.responses, f.participant.participant_id
            answered = responses.usable & ~np.isnan(responses.response_time_s)
            right = answered & responses.correct
            observed.setdefault(name, []).append(responses.response_time_s[right])
            expected.setdefault(name, []).append(f.distributions.response_time_s[right])
            is_right_expected = f.distributions.choice == f.run.events.correct_option
            hits.append((is_right_expected == responses.correct)[answered])
        own = {k: np.concatenate(v) for k, v in observed.items()}
        people = [k for k, v in own.items() if len(v)]
        x = np.array([own[k].mean() for k in people])
        y = np.array([np.concatenate(expected[k]).mean() for k in people])
        all_hits = np.concatenate(hits)
        if len(people):
            figures[f"reaction_time_rmse_s:{task}"] = float(np.sqrt(np.mean((x - y) ** 2)))
        if len(people) >= FEWEST_FOR_R and x.std() > 0 and y.std() > 0:
            figures[f"reaction_time_r:{task}"] = float(np.corrcoef(x, y)[0, 1])
        if len(all_hits):
            figures[f"choice_concordance:{task}"] = float(all_hits.mean())
    return figures


def bold_error(forecasts: Sequence[RunForecast]) -> float:
    """Return the mean squared error of BOLD over measured frames and regions, in squared SDs."""
    squares, n_values = 0.0, 0
    for f in forecasts:
        if f.measured_bold is not None:
            n_frames = min(len(f.bold), len(f.measured_bold))
            error = f.bold[:n_frames].astype(np.float64) - f.measured_bold[:n_frames]
            squares, n_values = squares + float(np.square(error).sum()), n_values + error.size
    return squares / n_values if n_values else float("nan")


def contrast_map(run: Run, bold: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """Return the estimate of a run's task contrast in every region, shape (n_regions,).

    None where the series broke off before both trial types were seen.
    """
    contrast = get_task(run.task).contrast
    design = design_matrix(run.events, len(bold), TR_S)
    if design.why_no_contrast(contrast) is not None:
        return None
    return fit_contrast(bold, design, contrast).estimate


def _contrast_figures(forecasts: Sequence[RunForecast]) -> dict[str, float]:
    """Return ``group_contrast_r:<task>`` of each task with measured BOLD."""
    figures: dict[str, float] = {}
    for task in sorted({f.run.task for f in forecasts}):
        pairs = []
        for f in forecasts:
            if f.run.task != task or f.measured_bold is None:
                continue
            n_frames = min(len(f.bold), len(f.measured_bold))
            forecast = contrast_map(f.run, f.bold[:n_frames])
            measured = contrast_map(f.run, f.measured_bold[:n_frames])
            if forecast is not None and measured is not None:
                pairs.append((forecast, measured))
        if pairs and len(pairs[0][0]) >= FEWEST_FOR_R:
            forecast, measured = np.mean(pairs, axis=0)
            figures[f"group_contrast_r:{task}"] = float(np.corrcoef(forecast, measured)[0, 1])
    return figures
