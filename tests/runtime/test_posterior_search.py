"""The search for the likeliest latent, against finer differences of a likelihood in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.observed_run import ObservedRun
from dtb_runtime.posterior_search import Point, Space
from dtb_runtime.trial_likelihood import TrialLikelihood

Observe = Callable[..., ObservedRun]
Reference = Callable[[NDArray[np.float64], list[ObservedRun]], NDArray[np.float64]]


def test_gradient_and_curvature_are_those_of_finer_differences(
    tiny: Bundle,
    observe: Observe,
    reference_log_likelihood: Reference,
) -> None:
    """At the prior's mean, in prior SDs; the reference by central differences in float64."""
    assert tiny.norms.prior is not None
    prior = tiny.norms.prior.population
    person = prior.mean + prior.root @ np.array([1.5, -1.0, 1.5])
    runs = [observe("hammer", person, n_trials=16), observe("stroop", person, n_trials=10)]
    space, first = Space.around(prior, TrialLikelihood.of(tiny, runs))
    point = space.point(first.place, 0.1 * first.laplace().root.T)
    h = 1e-4 * np.eye(3)

    def cost(places: NDArray[np.float64]) -> NDArray[np.float64]:
        latents = prior.mean + places @ prior.root.T
        fit = reference_log_likelihood(latents, runs)
        return 0.5 * np.square(places).sum(axis=1) - fit

    expected = (cost(h) - cost(-h)) / 2e-4
    for own, tolerance in ((point, 0.02), (first, 0.2)):  # steps in posterior SDs, in prior SDs
        off = np.linalg.solve(own.curvature, own.gradient - expected)
        assert np.sqrt(off @ own.curvature @ off) < tolerance * np.sqrt(
            expected @ np.linalg.solve(own.curvature, expected)
        )
    # Of the true curvature Gauss and Newton leave out what vanishes on average.
    true = np.array(
        [[(cost(a + b) - cost(a - b) - cost(b - a) + cost(-a - b))[0] / 4e-4
          for b in 1e-2 * np.eye(3)[:, np.newaxis]] for a in 1e-2 * np.eye(3)[:, np.newaxis]]
    )  # fmt: skip
    root = np.linalg.cholesky(true)
    ratio = np.linalg.solve(root, np.linalg.solve(root, point.curvature).T)
    assert np.abs(np.log(np.linalg.eigvalsh(ratio))).max() < np.log(2.0)


def test_differences_do_not_shrink_without_end() -> None:
    """Beside a jump in behavior, a curvature of 1e16 would ask for steps that see only the jump."""
    curvature = np.diag([1.0, 1e4, 1e16])
    point = Point(np.zeros(3), 0.0, 0.0, np.zeros(3), curvature)
    lengths = np.linalg.norm(point.basis(), axis=1)
    np.testing.assert_allclose(lengths, [0.1, 0.1 * np.sqrt(2e-4), 0.001], rtol=1e-3)
