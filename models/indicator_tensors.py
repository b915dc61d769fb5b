"""A twin's indicators in tensors: from edges to the numbers of `dtb_runtime.indicators`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dtb_runtime.errors import UsageError
from dtb_runtime.glm import Design
from dtb_runtime.indicator_names import AMYGDALA, AVERAGED, EFFECTS, TASK_OF
from dtb_runtime.prepared_run import PreparedRun, prepare_run
from dtb_runtime.tasks import get_task

from .array_types import BatchEdges, BatchWeights
from .bundle_network import BundleNetwork
from .main_network import MainOutput
from .response_tensors import Responses, TrialWindows, read_responses

Values = Float[Tensor, "batch indicators"]


@dataclass(frozen=True, slots=True, eq=False)
class _Series:
    """One series of BOLD whose t is asked for: the mean of some outputs."""

    task: str
    columns: tuple[int, ...]


class IndicatorTensors:
    """Some indicators of a bundle's twins, over the study's own schedules.

    Parameters
    ----------
    network : BundleNetwork
    names : sequence of str
        Indicators, as `dtb_runtime.indicator_names` has them, or
        ``contrast:<contrast>:<region label>``.

    Raises
    ------
    UsageError
        This bundle cannot give one of them; the message says why.
    """

    def __init__(self, network: BundleNetwork, names: Sequence[str]) -> None:
        self.network = network
        self.names = tuple(names)
        tasks = network.bundle.manifest.tasks
        self._series = {name: self._series_of(name) for name in names if not _is_behavior(name)}
        for name in names:
            if name not in self._series:
                self._check_behavior(name)
        needed = {task for name in names for task in self._tasks_of(name)}
        self._runs = {task: prepare_run(get_task(task), None) for task in tasks if task in needed}
        self._windows = {
            task: TrialWindows.of(
                run.events,
                len(run.network_input),
                len(run.task.options),
                network.bundle.manifest.dt_s,
                network.dtype,
            )
            for task, run in self._runs.items()
        }

    def of_edges(self, edges: BatchEdges) -> Values:
        """Return each person's indicators from Fisher z of their edges, in the order of names."""
        return self.of_weights(self.network.weights(edges))

    def of_weights(self, weights: BatchWeights) -> Values:
        """Return each person's indicators from the weights of their main network."""
        responses: dict[str, Responses] = {}
        t: dict[str, Tensor] = {}
        for task, run in self._runs.items():
            stimulus = torch.from_numpy(run.network_input.copy()).to(weights.dtype)
            output = self.network.run(weights, stimulus.expand(len(weights), -1, -1))
            responses[task] = read_responses(
                output.action_logits, self._windows[task], self.network.config.action_reading
            )
            t |= self._t_of(task, run, output)
        return torch.stack([self._value(name, responses, t) for name in self.names], dim=1)

    def gradients(
        self, edges: BatchEdges
    ) -> tuple[Values, Float[Tensor, "indicators batch edges"]]:
        """Return indicators and what each would change by, per unit of Fisher z of each edge."""
        given = edges.detach().clone().requires_grad_()
        values = self.of_edges(given)
        found = [
            torch.autograd.grad(values[:, k].sum(), given, retain_graph=True)[0]
            for k in range(len(self.names))
        ]
        return values.detach(), torch.stack(found)

    def _value(self, name: str, responses: dict[str, Responses], t: dict[str, Tensor]) -> Tensor:
        if name in t:
            return t[name]
        if name in EFFECTS:
            task = TASK_OF[name]
            more, less = (
                self._mean(f"reaction_time:{task}:{each}", responses) for each in EFFECTS[name]
            )
            return more - less
        if ":" in name:
            return self._mean(name, responses)
        tasks = self.network.bundle.manifest.tasks
        return torch.stack([self._mean(f"{name}:{task}", responses) for task in tasks]).mean(0)

    def _mean(self, name: str, responses: dict[str, Responses]) -> Tensor:
        measure, task, trial_type = (*name.split(":"), "")[:3]
        found = responses[task]
        per_trial = found.response_time_s if measure == "reaction_time" else found.p_right
        if trial_type:
            groups = np.array(self._runs[task].events.trial_group)
            per_trial = per_trial[:, torch.from_numpy(np.flatnonzero(groups == trial_type))]
        return per_trial.mean(1)

    def _t_of(self, task: str, run: PreparedRun, output: MainOutput) -> dict[str, Tensor]:
        names = [name for name, series in self._series.items() if series.task == task]
        if not names:
            return {}
        bold = torch.stack(
            [output.bold[:, :, list(self._series[name].columns)].mean(-1) for name in names], dim=-1
        )
        t = contrast_t(bold, run.design, run.task.contrast)
        return {name: t[:, k] for k, name in enumerate(names)}

    def _series_of(self, name: str) -> _Series:
        manifest = self.network.bundle.manifest
        if name == "amygdala_response":
            structures = {} if manifest.parcellation is None else manifest.parcellation.structures
            labels = structures.get(AMYGDALA, ())
            task = TASK_OF[name]
            if not labels or not set(labels) <= set(manifest.bold_regions):
                raise UsageError(
                    f"Bundle {self.network.bundle.name!r} cannot give {name!r}: it has no right "
                    "amygdala. Use a bundle of a parcellation with subcortical regions, such as "
                    "tcp434."
                )
        else:
            contrast, _, label = name.removeprefix("contrast:").partition(":")
            by_contrast = {get_task(each).contrast_name: each for each in manifest.tasks}
            if contrast not in by_contrast or label not in manifest.bold_regions:
                what = "contrast" if contrast not in by_contrast else "region"
                raise UsageError(
                    f"Bundle {self.network.bundle.name!r} has no {what} of {name!r}. Write "
                    f"contrast:<contrast>:<region label> with a contrast of "
                    f"{', '.join(by_contrast)} and a region of dtb-run inspect --regions."
                )
            task, labels = by_contrast[contrast], (label,)
        self._check_task(name, task)
        columns = tuple(manifest.bold_regions.index(label) for label in labels)
        return _Series(task, columns)

    def _check_behavior(self, name: str) -> None:
        measure, task, trial_type = (*name.split(":"), "", "")[:3]
        known = self.network.bundle.manifest.tasks
        is_known = name in EFFECTS or (
            measure in AVERAGED
            and name.count(":") <= 2
            and (not task or task in known)
            and (not trial_type or (task in known and trial_type in get_task(task).trial_types))
        )
        if not is_known:
            raise UsageError(
                f"There is no indicator {name!r} of bundle {self.network.bundle.name!r}. Ask for "
                "reaction_time, accuracy, either with :<task> or :<task>:<trial type>; "
                f"{', '.join(EFFECTS)}, amygdala_response or contrast:<contrast>:<region label>."
            )
        if name in EFFECTS:
            self._check_task(name, TASK_OF[name])

    def _check_task(self, name: str, task: str) -> None:
        if task not in self.network.bundle.manifest.tasks:
            raise UsageError(
                f"Bundle {self.network.bundle.name!r} cannot give {name!r}: it was not trained on "
                f"the task {task!r}."
            )

    def _tasks_of(self, name: str) -> tuple[str, ...]:
        if name in self._series:
            return (self._series[name].task,)
        if name in EFFECTS:
            return (TASK_OF[name],)
        task = name.partition(":")[2].partition(":")[0]
        return (task,) if task else self.network.bundle.manifest.tasks


def contrast_t(
    bold: Float[Tensor, "batch frames series"], design: Design, contrast: tuple[str, str]
) -> Float[Tensor, "batch series"]:
    """Return t of a contrast in each series: ordinary least squares, as `glm.fit_contrast`."""
    weights = np.zeros(len(design.columns))
    weights[design.columns.index(contrast[0])] += 1.0
    weights[design.columns.index(contrast[1])] -= 1.0
    direction = weights @ design.solver
    series = bold.double()  # t is a small difference of large sums
    basis = torch.from_numpy(design.basis.copy())
    coordinates = torch.einsum("fk,bfs->bks", basis, series)
    estimate = torch.einsum("k,bks->bs", torch.from_numpy(direction), coordinates)
    rest = series - torch.einsum("fk,bks->bfs", basis, coordinates)
    variance = rest.square().sum(1) / design.degrees_of_freedom * float(direction @ direction)
    return (estimate / variance.sqrt()).to(bold.dtype)


def _is_behavior(name: str) -> bool:
    return name != "amygdala_response" and not name.startswith("contrast:")
