"""The outputs of the twin model: their shapes, what everybody shares, and one person's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .bundle import Bundle
from .indicator_forecasts import all_indicators
from .oip_models import PER_PERSON_AND_TRIAL, SAMPLED
from .oip_tensors import Array
from .prepared_run import PreparedRun
from .service_forecasts import PersonForecast
from .strangeness import Strangeness
from .twin import Twin

OF_TRIALS = (*PER_PERSON_AND_TRIAL, *SAMPLED)
"""Outputs with a row of trials for each person."""
_CHOICES = ("choice", "sampled_choice")


class TwinOutputs:
    """What the twin model gives for some tasks of a bundle.

    Parameters
    ----------
    bundle : Bundle
    runs : sequence of PreparedRun
        One a task.
    """

    def __init__(self, bundle: Bundle, runs: Sequence[PreparedRun]) -> None:
        manifest = bundle.manifest
        tasks = [run.task.name for run in runs]
        n_trials = [run.events.n_trials for run in runs]
        n_frames = [manifest.n_frames(run.events.n_steps) for run in runs]
        self.runs = runs
        self._indicators = all_indicators(bundle)
        self._shared: dict[str, Array] = {
            "trial_task": np.repeat(tasks, n_trials),
            "trial_type": np.array([name for run in runs for name in run.events.trial_type]),
            "onset": np.concatenate([run.events.onset_s for run in runs]),
            "frame_task": np.repeat(tasks, n_frames),
            "bold_regions": np.array(manifest.bold_regions),
            "indicator_names": np.array(self._indicators),
        }
        self._of_person: dict[str, tuple[int, ...]] = {
            **dict.fromkeys(OF_TRIALS, (sum(n_trials),)),
            "bold": (sum(n_frames), manifest.n_bold),
            "indicators": (len(self._indicators),),
            "strangeness": (),
        }

    def shapes(self, names: Sequence[str], n_people: int) -> dict[str, tuple[int, ...]]:
        """The shape of each output, by name."""
        return {
            name: self._shared[name].shape
            if name in self._shared
            else (n_people, *self._of_person[name])
            for name in names
        }

    def tensors(self, names: Sequence[str], n_people: int) -> dict[str, Array]:
        """The outputs, with what everybody shares; people's rows are still to be written."""
        found = {}
        for name, shape in self.shapes(names, n_people).items():
            dtype = object if name in _CHOICES else np.float32 if name == "bold" else np.float64
            found[name] = self._shared[name] if name in self._shared else np.empty(shape, dtype)
        return found

    def write(
        self, tensors: Mapping[str, Array], person: int, twin: Twin, forecast: PersonForecast
    ) -> None:
        """Write one person's rows."""
        values = forecast.indicators.values
        for name, array in tensors.items():
            if name in OF_TRIALS:
                array[person] = np.concatenate([run[name] for run in forecast.trials])
            elif name == "bold":
                array[person] = np.concatenate(forecast.bold)
            elif name == "indicators":
                array[person] = [values.get(each, np.nan) for each in self._indicators]
            elif name == "strangeness":
                array[person] = less_unusual(twin.strangeness)


def less_unusual(strangeness: Strangeness | None) -> float:
    """Percent of the training cohort that is less unusual, by whichever measure finds more.

    NaN where the bundle cannot say.
    """
    if strangeness is None:
        return float("nan")
    similarity = strangeness.similarity_percentile
    percents = (strangeness.distance_percentile, None if similarity is None else 100 - similarity)
    return max((each for each in percents if each is not None), default=float("nan"))
