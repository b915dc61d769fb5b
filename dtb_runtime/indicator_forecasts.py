"""Chosen indicators of many twins at once, at the mean of what is known of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .draws import Outputs, read_draw
from .errors import UsageError
from .indicator_names import TASK_OF, indicator_names
from .indicators import Indicators, combine_indicators, contrast_indicator
from .prepared_run import PreparedRun, prepare_run
from .tasks import get_task

if TYPE_CHECKING:
    from .bundle import Bundle

Floats = NDArray[np.float64]

_SD_DRAWS = 200
"""Twins drawn to know how far an indicator differs that the norms do not hold."""


class IndicatorForecasts:
    """Forecasts some indicators of a bundle's twins, over the study's own schedules.

    Parameters
    ----------
    bundle : Bundle
    names : sequence of str
        As `Forecast.indicator` takes them.

    Raises
    ------
    UsageError
        The bundle cannot give one of them; the message says why.
    """

    def __init__(self, bundle: Bundle, names: Sequence[str]) -> None:
        self.bundle = bundle
        self.names = tuple(names)
        self._contrasts = tuple(name for name in names if name.startswith("contrast:"))
        self._runs = [prepare_run(get_task(task), None) for task in self._tasks()]
        if bundle.norms.edges is not None:  # everybody lacks what the mean person lacks
            self._values(bundle.norms.edges.mean[np.newaxis], is_checked=True)

    def of_edges(self, edges: NDArray[np.float32]) -> Floats:
        """Indicators of people, by Fisher z of their edges.

        Parameters
        ----------
        edges : numpy.ndarray, shape (people, n_edges)

        Returns
        -------
        numpy.ndarray, shape (people, names)
            NaN where somebody lacks one: a twin that never answers has no response time.
        """
        return self._values(edges)

    def of_weights(self, weights: NDArray[np.float32]) -> Floats:
        """The same by the weights of their main networks, shape (people, n_weights)."""
        return self._read(weights)

    def _values(self, edges: NDArray[np.float32], *, is_checked: bool = False) -> Floats:
        twins = self.bundle.personalize_edges(np.asarray(edges, np.float32))
        return self._read(np.stack([twin.weights for twin in twins]), is_checked=is_checked)

    def _read(self, weights: NDArray[np.float32], *, is_checked: bool = False) -> Floats:
        reports: list[list[Indicators]] = [[] for _ in weights]
        values = np.full((len(weights), len(self.names)), np.nan)
        for run, found in zip(
            self._runs, run_people(self.bundle, self._runs, weights), strict=True
        ):
            for person, (actions, bold) in enumerate(zip(*found, strict=True)):
                of_run = [
                    name for name in self._contrasts if name.split(":")[1] == run.task.contrast_name
                ]
                draw = read_draw(self.bundle, run, actions, bold, with_map=bool(of_run))
                reports[person].append(draw.indicators)
                contrasts = {} if draw.contrast is None else {run.task.contrast_name: draw.contrast}
                for name in of_run:
                    values[person, self.names.index(name)] = contrast_indicator(
                        name, contrasts, self.bundle.manifest.bold_regions
                    )
        for person, report in enumerate(map(combine_indicators, reports)):
            for k, name in enumerate(self.names):
                if name in self._contrasts:
                    continue
                if is_checked:
                    report.value(name)
                values[person, k] = report.values.get(name, np.nan)
        return values

    def _tasks(self) -> tuple[str, ...]:
        """Tasks that the indicators need, in the order of the bundle's."""
        known = self.bundle.manifest.tasks
        needed: set[str] = set()
        by_contrast = {get_task(task).contrast_name: task for task in known}
        for name in self.names:
            measure, *rest = name.split(":")
            if measure == "contrast" and len(rest) == 2 and rest[0] in by_contrast:
                self._check_region(name, rest[1])
                needed.add(by_contrast[rest[0]])
            elif name in TASK_OF and TASK_OF[name] in known:
                needed.add(TASK_OF[name])
            elif rest and rest[0] in known:
                needed.add(rest[0])
            else:
                needed |= set(known)  # a mean over them, or a name whose error says what there is
        return tuple(task for task in known if task in needed)

    def _check_region(self, name: str, label: str) -> None:
        if label not in self.bundle.manifest.bold_regions:
            raise UsageError(
                f"The indicator {name!r} cannot be given. Bundle {self.bundle.name!r} has no "
                f"region {label!r}; see dtb-run inspect {self.bundle.name} --regions."
            )


def run_people(
    bundle: Bundle, runs: Sequence[PreparedRun], weights: NDArray[np.float32]
) -> Iterator[Outputs]:
    """What the main networks of people give, run after run, as many people at once as is best.

    Parameters
    ----------
    bundle : Bundle
    runs : sequence of PreparedRun
    weights : numpy.ndarray, shape (people, n_weights)

    Yields
    ------
    actions : numpy.ndarray, shape (people, n_steps, n_actions)
    bold : numpy.ndarray, shape (people, n_frames, n_bold)
    """
    at_once = bundle.people_per_call
    if at_once == 1:
        people = [bundle.run_several(own, [run.network_input for run in runs]) for own in weights]
        for outputs in zip(*people, strict=True):
            actions, bold = zip(*outputs, strict=True)
            yield np.stack(actions), np.stack(bold)
        return
    for run in runs:
        parts = [
            bundle.run_main(weights[first : first + at_once], run.network_input)[:2]
            for first in range(0, len(weights), at_once)
        ]
        actions, bold = zip(*parts, strict=True)
        yield np.concatenate(actions), np.concatenate(bold)


def all_indicators(bundle: Bundle) -> tuple[str, ...]:
    """Every indicator of a bundle's twins but the contrasts of single regions."""
    manifest = bundle.manifest
    structures = {} if manifest.parcellation is None else manifest.parcellation.structures
    known = {
        structure
        for structure, members in structures.items()
        if members and set(members) <= set(manifest.bold_regions)
    }
    return indicator_names(manifest.tasks, known)


def cohort_sds(bundle: Bundle, names: Sequence[str]) -> Floats:
    """SD of indicators over the training cohort, shape (names,).

    From the norms; of an indicator that they do not hold, over twins drawn from how connectomes
    place the cohort.

    Raises
    ------
    UsageError
        The bundle has norms of neither the indicator nor the latents.
    """
    norms = bundle.norms
    drawn = _drawn_sds(bundle, [name for name in names if name not in norms.indicator_quantiles])
    return np.array([drawn.get(name) or norms.indicator_sd(name) for name in names])


def drawn_weights(bundle: Bundle, n: int) -> NDArray[np.float32] | None:
    """Weights of twins drawn (seeded) from how connectomes place the training cohort.

    Returns
    -------
    numpy.ndarray, shape (n, n_weights), or None
        None where the bundle has no norms of latents.
    """
    latents = bundle.norms.latent
    if latents is None:
        return None
    rng = np.random.default_rng(0)
    root = np.linalg.inv(np.linalg.cholesky(latents.precision)).T
    draws = latents.mean + rng.standard_normal((n, len(latents.mean))) @ root.T
    return np.stack([bundle.decode(each) for each in draws.astype(np.float32)])


_known_sds: dict[tuple[str, str], float] = {}
"""Of drawn twins, by the bundle's digest and the indicator: a bundle that is loaded again has the
same, and nothing here keeps its graphs in memory."""


def _drawn_sds(bundle: Bundle, names: Sequence[str]) -> dict[str, float]:
    missing = [name for name in names if (bundle.digest, name) not in _known_sds]
    if missing:
        weights = drawn_weights(bundle, _SD_DRAWS)
        if weights is None:
            raise UsageError(
                f"Bundle {bundle.name!r} has no norms of {missing[0]!r}, so nobody knows how far "
                "it differs between people. Give sizes in its own unit, and choose other "
                "indicators to be reported in SDs."
            )
        values = IndicatorForecasts(bundle, missing).of_weights(weights)
        for name, sd in zip(missing, np.nanstd(values, axis=0, ddof=1).tolist(), strict=True):
            _known_sds[bundle.digest, name] = sd
    return {name: _known_sds[bundle.digest, name] for name in names}
