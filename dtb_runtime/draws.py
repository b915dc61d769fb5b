"""What a person may do in a run: one forecast for each draw of the latent.

Draws do not depend on one another, so they may run in several threads; what comes out is the same
for any number of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .errors import UsageError
from .glm import Contrast, fit_contrast, structure_bold
from .indicators import Indicators, task_indicators
from .mixture import mix
from .prepared_run import PreparedRun
from .responses import read_densities, read_hazards
from .trial_distributions import TrialDistributions

if TYPE_CHECKING:
    from .bundle import Bundle
    from .twin import Twin

Actions: TypeAlias = NDArray[np.float32]
Bold: TypeAlias = NDArray[np.float32]
Outputs: TypeAlias = tuple[Actions, Bold]

DRAWS_PER_CALL = 8
"""How many draws run at once: a call keeps the BOLD of all its regions, some 3 MB a draw."""
INTERVAL = (0.05, 0.95)
"""Quantiles between which every interval of this package lies: 90 %."""


def check_draws(draws: int, bundle: Bundle) -> None:
    """Refuse draws of the latent that a bundle cannot give.

    Raises
    ------
    UsageError
        Less than one, or several with a bundle that has no distribution of latents.
    """
    if draws < 1:
        raise UsageError(f"draws must be at least 1, found {draws}.")
    if draws > 1 and bundle.norms.prior is None:
        raise UsageError(
            f"Bundle {bundle.name!r} does not say how sure it is of a latent, so there is nothing "
            "to draw. Forecast with one draw."
        )


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """What one person does in a run if this latent is theirs."""

    distributions: TrialDistributions
    """Response times and choices of every trial."""
    contrast: Contrast | None
    """The task's contrast in every region; None if the schedule cannot give it."""
    structure_t: Mapping[str, float]
    """Its t in the mean BOLD of each anatomical structure."""
    indicators: Indicators
    """The scalars that sum it all up."""


def run_draws(
    twin: Twin, run: PreparedRun, n_draws: int, threads: int, mean: Outputs | None = None
) -> Iterator[tuple[Draw, Bold]]:
    """Forecast a run for each of several draws of a twin's latent, in their order.

    With each draw comes its BOLD, shape (n_frames, n_regions), in SDs of the training data.

    Parameters
    ----------
    twin : Twin
    run : PreparedRun
    n_draws : int
        1 is the mean of what is known of the person in this task.
    threads : int
        How many draws run at a time.
    mean : tuple of numpy.ndarray, optional
        What the networks gave already for the only draw.

    Raises
    ------
    UsageError
        Less than one draw or thread, or several draws of a twin that has no distribution.
    """
    if threads < 1:
        raise UsageError(f"threads must be at least 1, found {threads}.")
    bundle = twin.bundle
    rates = iter(_rates(twin, run.task.name, n_draws))

    def run_networks(weights: NDArray[np.float32]) -> Outputs:
        return bundle.run_main(weights, run.network_input)[:2]

    outputs: Iterable[Outputs]
    if mean is not None:
        outputs = [(mean[0][np.newaxis], mean[1][np.newaxis])]
    else:
        # One at a time, so that a draw's weights do not depend on how many there are.
        latents = twin.draws(n_draws, task=run.task.name)
        weights = np.stack([bundle.decode(latent) for latent in latents])
        at_once = min(DRAWS_PER_CALL, -(-n_draws // threads))
        parts = [weights[i : i + at_once] for i in range(0, n_draws, at_once)]
        outputs = map(run_networks, parts) if threads == 1 else _map(run_networks, parts, threads)
    # Only the networks run in threads: they let go of Python's lock, and reading them does not.
    return (
        (read_draw(bundle, run, actions, bold, next(rates)), bold)
        for several in outputs
        for actions, bold in zip(*several, strict=True)
    )


def _rates(twin: Twin, task: str, n_draws: int) -> list[tuple[float, float]]:
    """How often the person lapses, and slips, in this task: one pair a draw."""
    if twin.calibration is None:
        return [(0.0, 0.0)] * n_draws
    from .lapses_and_slips import rate_draws  # late: only who has seen trials needs it

    seen = [run for run in twin.observed if run.task == task]
    drawn = []
    for seed, (known, n_trials) in enumerate(
        (
            (twin.calibration.lapse_rates, sum(run.n_observed for run in seen)),
            (twin.calibration.slip_rates, sum(run.n_answered for run in seen)),
        )
    ):
        rate = known.get(task)
        # What trials of another task tell of lapses and slips in this one is not known.
        none = np.zeros(n_draws)
        drawn.append(none if rate is None else rate_draws(rate, n_trials, n_draws, seed=seed))
    return list(zip(*(rates.tolist() for rates in drawn), strict=True))


def _map(
    work: Callable[[NDArray[np.float32]], Outputs],
    parts: Sequence[NDArray[np.float32]],
    threads: int,
) -> Iterator[Outputs]:
    from concurrent.futures import ThreadPoolExecutor  # late: a point forecast needs none

    with ThreadPoolExecutor(min(threads, len(parts))) as pool:
        yield from pool.map(work, parts)


def mean_draw(draws: Sequence[Draw], run: PreparedRun) -> Draw:
    """What is expected of somebody who may be any of these.

    Choices and response times are those of the mixture. t is the mean of theirs: that of the mean
    BOLD would belong to nobody, since what sets persons apart averages out in its residual.
    """
    if len(draws) == 1:
        return draws[0]
    distributions = mix([draw.distributions for draw in draws])
    structure_t = {
        name: float(np.mean([draw.structure_t[name] for draw in draws]))
        for name in draws[0].structure_t
    }
    contrasts = [draw.contrast for draw in draws if draw.contrast is not None]
    return Draw(
        distributions,
        _mean_contrast(contrasts) if contrasts else None,
        structure_t,
        _indicators(run, distributions, structure_t),
    )


def read_draw(
    bundle: Bundle,
    run: PreparedRun,
    actions: Actions,
    bold: Bold,
    rates: tuple[float, float] = (0.0, 0.0),
    *,
    with_map: bool = True,
) -> Draw:
    """Read one person's run off the networks' outputs.

    Parameters
    ----------
    bundle : Bundle
    run : PreparedRun
    actions : numpy.ndarray, shape (n_steps, n_actions)
    bold : numpy.ndarray, shape (n_frames, n_bold)
    rates : tuple of two float
        How often the person lapses, and slips.
    with_map : bool
        Whether to fit the contrast in every region; indicators do not need it.
    """
    manifest = bundle.manifest
    read = read_hazards if manifest.action_reading == "hazard" else read_densities
    distributions = read(actions, run.events, len(run.task.options), manifest.dt_s)
    lapse_rate, slip_rate = rates
    if slip_rate:
        distributions = distributions.with_slips(slip_rate)
    if lapse_rate:
        distributions = distributions.with_lapses(lapse_rate)
    contrast, structure_t = None, dict[str, float]()
    if run.no_contrast is None:
        if with_map:
            contrast = fit_contrast(bold, run.design, run.task.contrast)
        structure_t = _structure_t(bundle, run, bold)
    indicators = _indicators(run, distributions, structure_t)
    return Draw(distributions, contrast, structure_t, indicators)


def _indicators(
    run: PreparedRun, distributions: TrialDistributions, structure_t: Mapping[str, float]
) -> Indicators:
    return task_indicators(
        run.task, run.events, distributions, structure_t, contrast_problem=run.no_contrast
    )


def _structure_t(bundle: Bundle, run: PreparedRun, bold: Bold) -> dict[str, float]:
    """Return t of the task's contrast in the mean BOLD of each anatomical structure."""
    parcellation = bundle.manifest.parcellation
    if parcellation is None:
        return {}
    series = structure_bold(bold, bundle.manifest.bold_regions, parcellation.structures)
    if not series:
        return {}
    contrast = fit_contrast(np.stack(list(series.values()), axis=1), run.design, run.task.contrast)
    return dict(zip(series, contrast.t.tolist(), strict=True))


def _mean_contrast(contrasts: Sequence[Contrast]) -> Contrast:
    estimate, t = (
        np.mean([getattr(each, name) for each in contrasts], axis=0) for name in ("estimate", "t")
    )
    for array in (estimate, t):
        array.setflags(write=False)
    return replace(contrasts[0], estimate=estimate, t=t)


def indicator_intervals(draws: Sequence[Indicators]) -> Mapping[str, tuple[float, float]]:
    """Where an indicator lies in 90 % of the draws.

    Parameters
    ----------
    draws : sequence of Indicators
        What each draw gives; with less than two there is no interval.

    Returns
    -------
    mapping of str to (low, high)
        Indicators that every draw gives. Read-only.
    """
    if len(draws) < 2:
        return MappingProxyType({})
    names = [name for name in draws[0].values if all(name in each.values for each in draws)]
    values = np.array([[each.values[name] for name in names] for each in draws])
    # Of few draws the usual estimate lies too far inside; this one is right in the middle.
    low, high = np.quantile(values, INTERVAL, axis=0, method="median_unbiased")
    return MappingProxyType(
        dict(zip(names, zip(low.tolist(), high.tolist(), strict=True), strict=True))
    )
