"""What a person may do in a run: one forecast for each draw of the latent.

Draws do not depend on one another, so they may run in several threads; what comes out is the same
for any number of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .errors import UsageError
from .glm import fit_contrast, structure_bold
from .indicators import Indicators, task_indicators
from .prepared_run import PreparedRun
from .responses import TrialDistributions, read_densities, read_hazards

if TYPE_CHECKING:
    from .bundle import Bundle
    from .twin import Twin

INTERVAL = (0.05, 0.95)
"""Quantiles between which every interval of this package lies: 90 %."""


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """What one person does in a run if this latent is theirs."""

    distributions: TrialDistributions
    """Response times and choices of every trial."""
    bold: NDArray[np.float32]
    """Shape (n_frames, n_regions), in SDs of the training data."""
    indicators: Indicators
    """The scalars that sum both up."""


def run_draws(twin: Twin, run: PreparedRun, n_draws: int, threads: int) -> Iterator[Draw]:
    """Forecast a run for each of several draws of a twin's latent, in their order.

    Parameters
    ----------
    twin : Twin
    run : PreparedRun
    n_draws : int
        1 is the twin as it stands: its latent is the mean.
    threads : int
        How many draws run at a time.

    Raises
    ------
    UsageError
        Less than one draw or thread, or several draws of a twin that has no distribution.
    """
    if threads < 1:
        raise UsageError(f"threads must be at least 1, found {threads}.")
    bundle = twin.bundle
    if n_draws == 1:
        return iter([_run_draw(bundle, twin.weights, run)])
    latents = twin.draws(n_draws)

    def work(latent: NDArray[np.float32]) -> Draw:
        return _run_draw(bundle, bundle.decode(latent), run)

    if threads == 1:
        return map(work, latents)
    return _in_threads(work, latents, threads)


def _in_threads(
    work: Callable[[NDArray[np.float32]], Draw], latents: NDArray[np.float32], threads: int
) -> Iterator[Draw]:
    from concurrent.futures import ThreadPoolExecutor  # late: a point forecast needs none

    with ThreadPoolExecutor(min(threads, len(latents))) as pool:
        yield from pool.map(work, latents)


def _run_draw(bundle: Bundle, weights: NDArray[np.float32], run: PreparedRun) -> Draw:
    manifest = bundle.manifest
    actions, bold, _ = bundle.run_main(weights, run.network_input)
    bold.setflags(write=False)
    read = read_hazards if manifest.action_reading == "hazard" else read_densities
    distributions = read(actions, run.events, len(run.task.options), manifest.dt_s)
    return Draw(distributions, bold, run_indicators(bundle, run, distributions, bold))


def run_indicators(
    bundle: Bundle, run: PreparedRun, distributions: TrialDistributions, bold: NDArray[np.floating]
) -> Indicators:
    """Sum up what was forecast for a run: see `dtb_runtime.indicators`."""
    return task_indicators(
        run.task,
        run.events,
        distributions,
        {} if run.no_contrast is not None else _structure_t(bundle, run, bold),
        contrast_problem=run.no_contrast,
    )


def _structure_t(bundle: Bundle, run: PreparedRun, bold: NDArray[np.floating]) -> dict[str, float]:
    """Return t of the task's contrast in the mean BOLD of each anatomical structure."""
    parcellation = bundle.manifest.parcellation
    if parcellation is None:
        return {}
    series = structure_bold(bold, bundle.manifest.bold_regions, parcellation.structures)
    if not series:
        return {}
    contrast = fit_contrast(np.stack(list(series.values()), axis=1), run.design, run.task.contrast)
    return dict(zip(series, contrast.t.tolist(), strict=True))


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
