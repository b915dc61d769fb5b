"""The latent given trials, against integration over a grid in float64."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime import posterior_search
from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.calibration import Calibration, calibrate_latent
from dtb_runtime.errors import UsageError
from dtb_runtime.lapses_and_slips import TRIALS_BEFORE
from dtb_runtime.latent import LatentDistribution
from dtb_runtime.observed_run import ObservedRun
from dtb_runtime.posterior_search import Space, find_mode
from dtb_runtime.run_joining import join_runs
from dtb_runtime.trial_likelihood import TrialLikelihood

Observe = Callable[..., ObservedRun]
Reference = Callable[[NDArray[np.float64], list[ObservedRun]], NDArray[np.float64]]


@pytest.fixture(scope="module")
def prior(tiny: Bundle) -> LatentDistribution:
    assert tiny.norms.prior is not None
    return tiny.norms.prior.population


@pytest.fixture(scope="module")
def person(prior: LatentDistribution) -> NDArray[np.float64]:
    """A latent away from the prior's mean by about an SD in every direction."""
    return prior.mean + prior.root @ np.array([1.5, -1.0, 1.5])


@pytest.fixture(scope="module")
def runs(observe: Observe, person: NDArray[np.float64]) -> list[ObservedRun]:
    return [observe("hammer", person, n_trials=16), observe("stroop", person, n_trials=10)]


@pytest.fixture(scope="module")
def found(tiny: Bundle, prior: LatentDistribution, runs: list[ObservedRun]) -> Calibration:
    """What is found of them."""
    return calibrate_latent(tiny, prior, runs)


@pytest.fixture(scope="module")
def integrated(
    prior: LatentDistribution,
    runs: list[ObservedRun],
    found: Calibration,
    reference_log_likelihood: Reference,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and covariance of the same posterior on a grid."""
    return on_a_grid(reference_log_likelihood, prior, runs, found.posterior)


def on_a_grid(
    reference: Reference,
    prior: LatentDistribution,
    runs: Sequence[ObservedRun],
    around: LatentDistribution,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and covariance of the posterior by the trapezoid rule, 0.6 SDs apart to 4.2 SDs."""
    axis = np.linspace(-4.2, 4.2, 15)
    units = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    latents = around.mean + units @ around.root.T
    offsets = latents - prior.mean
    log_density = reference(latents, list(join_runs(runs)))
    log_density -= 0.5 * np.einsum("pi,ij,pj->p", offsets, prior.precision, offsets)
    weight = np.exp(log_density - log_density.max())
    weight /= weight.sum()
    mean = weight @ latents
    return mean, ((latents - mean).T * weight) @ (latents - mean)


def assert_same_distribution(
    found: LatentDistribution,
    mean: NDArray[np.float64],
    covariance: NDArray[np.float64],
    *,
    in_sds: float,
) -> None:
    """Means within a share of an SD in every direction, and SDs within that share."""
    root = np.linalg.cholesky(covariance)
    assert np.linalg.norm(np.linalg.solve(root, found.mean - mean)) < in_sds
    ratio = np.linalg.solve(root, np.linalg.solve(root, found.covariance).T)
    np.testing.assert_allclose(np.sqrt(np.linalg.eigvalsh(ratio)), 1.0, atol=in_sds)


def same_bytes(one: Calibration, other: Calibration) -> bool:
    return all(
        a.tobytes() == b.tobytes()
        for a, b in (
            (one.posterior.mean, other.posterior.mean),
            (one.posterior.covariance, other.posterior.covariance),
        )
    )


def test_the_posterior_is_that_of_a_dense_grid(
    prior: LatentDistribution,
    runs: list[ObservedRun],
    found: Calibration,
    integrated: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    assert found.converged
    assert found.n_trials == sum(run.n_observed for run in runs) > 20
    assert found.n_answered == sum(run.n_answered for run in runs) < found.n_trials
    assert found.log_likelihood > found.prior_log_likelihood
    assert_same_distribution(found.posterior, *integrated, in_sds=0.12)
    assert np.prod(np.diag(found.posterior.root)) < 0.7 * np.prod(np.diag(prior.root))


@pytest.mark.parametrize("n_trials", [2, 8])
def test_with_many_draws_it_is_that_of_the_grid_to_a_few_percent(
    tiny: Bundle,
    prior: LatentDistribution,
    person: NDArray[np.float64],
    observe: Observe,
    reference_log_likelihood: Reference,
    monkeypatch: pytest.MonkeyPatch,
    n_trials: int,
) -> None:
    monkeypatch.setattr(posterior_search, "N_DRAWS", 2000)
    run = observe("stroop", person, n_trials=n_trials)
    found = calibrate_latent(tiny, prior, [run])
    mean, covariance = on_a_grid(reference_log_likelihood, prior, [run], found.posterior)
    assert_same_distribution(found.posterior, mean, covariance, in_sds=0.04)


def test_importance_sampling_is_nearer_than_the_normal_approximation(
    tiny: Bundle,
    prior: LatentDistribution,
    runs: list[ObservedRun],
    found: Calibration,
    integrated: tuple[NDArray[np.float64], NDArray[np.float64]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refined, (mean, _) = found.posterior, integrated
    monkeypatch.setattr(posterior_search, "TOLERANCE", 0.001)
    space, first = Space.around(prior, TrialLikelihood.of(tiny, join_runs(runs)))
    mode, _, _ = find_mode(space, first)
    normal = space.whole(mode.place, mode.laplace().root)
    distance = [
        np.linalg.norm(np.linalg.solve(normal.root, own.mean - mean)) for own in (refined, normal)
    ]
    assert distance[0] < 0.5 * distance[1]


def test_no_trials_are_the_prior_exactly(
    tiny: Bundle, prior: LatentDistribution, runs: list[ObservedRun]
) -> None:
    nothing = dataclasses.replace(
        runs[0].responses, usable=np.zeros(runs[0].events.n_trials, np.bool_)
    )
    for given in ([], [ObservedRun(runs[0].events, nothing)]):
        found = calibrate_latent(tiny, prior, given)
        assert found.posterior is prior
        assert (found.n_trials, found.n_answered, found.steps) == (0, 0, 0)
        assert found.converged


def test_blocks_in_any_order_are_the_whole_run(
    tiny: Bundle, prior: LatentDistribution, runs: list[ObservedRun], person: NDArray[np.float64]
) -> None:
    hammer, stroop = runs
    blocks = [hammer.until(35.0), rest_of(hammer, 35.0), stroop]
    whole = calibrate_latent(tiny, prior, runs)
    assert all(block is not None and block.n_observed > 5 for block in blocks)
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        found = calibrate_latent(tiny, prior, [blocks[i] for i in order if blocks[i] is not None])
        assert same_bytes(found, whole)
        assert found.to_json() == whole.to_json()


def rest_of(run: ObservedRun, start_s: float) -> ObservedRun:
    """The trials from a time on."""
    keep = run.events.onset_s >= start_s
    events = dataclasses.replace(
        run.events,
        columns={name: tuple(np.array(cells)[keep]) for name, cells in run.events.columns.items()},
        trial_type=tuple(np.array(run.events.trial_type)[keep]),
        trial_group=tuple(np.array(run.events.trial_group)[keep]),
        **{
            name: getattr(run.events, name)[keep]
            for name in ("onset_s", "duration_s", "correct_option", "onset_step", "offset_step")
        },
    )
    responses = dataclasses.replace(
        run.responses,
        **{
            name: getattr(run.responses, name)[keep]
            for name in ("response_time_s", "correct", "usable")
        },
    )
    return ObservedRun(events, responses)


def test_the_seed_changes_little_and_the_same_seed_nothing(
    tiny: Bundle, prior: LatentDistribution, runs: list[ObservedRun]
) -> None:
    zero, again, one = (calibrate_latent(tiny, prior, runs, seed=seed) for seed in (0, 0, 1))
    assert same_bytes(zero, again)
    assert not same_bytes(zero, one)
    own = one.posterior
    assert_same_distribution(zero.posterior, own.mean, own.covariance, in_sds=0.2)


def test_more_trials_say_more(
    tiny: Bundle, prior: LatentDistribution, observe: Observe, person: NDArray[np.float64]
) -> None:
    spreads = []
    for n_trials in (2, 6, 18):
        own = [observe(task, person, n_trials=n_trials) for task in ("hammer", "stroop")]
        posterior = calibrate_latent(tiny, prior, own).posterior
        spreads.append(float(np.log(np.diag(posterior.root)).sum()))
    assert spreads == sorted(spreads, reverse=True)


def test_people_lie_in_their_posteriors_as_often_as_they_should(
    tiny: Bundle, prior: LatentDistribution, observe: Observe
) -> None:
    """Of people drawn from the prior: the squared distance from the mean is 3 on average."""
    people = prior.draws(16, seed=9).astype(np.float64)
    distances = []
    for i, latent in enumerate(people):
        own = observe("stroop", latent, n_trials=6, seed=i)
        posterior = calibrate_latent(tiny, prior, [own]).posterior
        off = np.linalg.solve(posterior.root, latent - posterior.mean)
        distances.append(float(off @ off))
    # The mean of 16 draws of chi square with 3 degrees of freedom has an SD of 0.6.
    assert 1.8 < np.mean(distances) < 4.2


def test_only_misses_raise_the_chance_of_a_miss(
    tiny: Bundle, prior: LatentDistribution, runs: list[ObservedRun]
) -> None:
    hammer = runs[0]
    n = hammer.events.n_trials
    silent = dataclasses.replace(
        hammer.responses,
        response_time_s=np.full(n, np.nan),
        correct=np.zeros(n, np.bool_),
        usable=np.ones(n, np.bool_),
    )
    before = tiny.population_twin()
    after = before.calibrate(ObservedRun(hammer.events, silent))
    assert after.calibration is not None
    assert after.calibration.n_answered == 0
    chances = [
        twin.forecast("hammer", draws=1).trials["p_no_response"].mean() for twin in (before, after)
    ]
    assert chances[1] > chances[0] + 0.05


def test_a_run_without_any_answer_tells_of_lapses_alone(
    tiny: Bundle, prior: LatentDistribution, runs: list[ObservedRun]
) -> None:
    hammer, others = runs[0], runs[1:]
    n = hammer.events.n_trials
    silent = dataclasses.replace(
        hammer.responses,
        response_time_s=np.full(n, np.nan),
        correct=np.zeros(n, np.bool_),
        usable=np.ones(n, np.bool_),
    )
    alone = calibrate_latent(tiny, prior, [ObservedRun(hammer.events, silent)])
    np.testing.assert_array_equal(alone.posterior.mean, prior.mean)
    np.testing.assert_array_equal(alone.posterior.covariance, prior.covariance)
    assert alone.lapse_rates == {"hammer": pytest.approx(n / (n + TRIALS_BEFORE))}
    with_others = calibrate_latent(tiny, prior, [ObservedRun(hammer.events, silent), *others])
    without = calibrate_latent(tiny, prior, others)
    np.testing.assert_array_equal(with_others.posterior.mean, without.posterior.mean)
    shared = set(without.lapse_rates) - {"hammer"}
    assert shared
    for task in shared:
        assert with_others.lapse_rates[task] == without.lapse_rates[task]


def test_missing_answers_tell_of_missing_answers_and_hardly_of_speed(
    tiny: Bundle, runs: list[ObservedRun]
) -> None:
    """Some trials missed, beside the same trials left out as of no use."""
    twins = []
    for usable in (False, True):
        parts = []
        for run in runs:
            n = run.events.n_trials
            gone = np.arange(2, n, 8)
            time_s, use = run.responses.response_time_s.copy(), run.responses.usable.copy()
            time_s[gone], use[gone] = np.nan, usable
            responses = dataclasses.replace(
                run.responses,
                response_time_s=time_s,
                usable=use,
                correct=run.responses.correct & ~np.isnan(time_s),
            )
            parts.append(dataclasses.replace(run, responses=responses))
        twins.append(tiny.population_twin().calibrate(parts))
    without, missed = (twin.forecast("hammer").trials for twin in twins)
    assert missed["p_no_response"].mean() > without["p_no_response"].mean() + 0.005
    moved_s = abs(missed["response_time"].mean() - without["response_time"].mean())
    assert moved_s < 0.05 * without["response_time"].mean()
    assert twins[1].calibration is not None
    assert min(twins[1].calibration.lapse_rates.values()) > 0


def test_numbers_that_move_no_action_follow_the_prior(
    tiny_copy: Path,
    generator: Any,
    runs: list[ObservedRun],
    replace_file: Callable[[Path, str, bytes], None],
) -> None:
    """A third number that acts on BOLD alone has the posterior of its regression on the rest."""
    rng = np.random.default_rng(3)
    main = generator.main_weights(np.random.default_rng(2), 12, action_bias=-4.5)
    columns = 0.06 * rng.standard_normal((len(main), 3))
    bold = slice(8 * 9 + 8 * 8 + 16 + 3 * 8, 8 * 9 + 8 * 8 + 16 + 15 * 8)
    columns[:, 2] = 0.0
    columns[bold, 2] = 0.3
    decoder = (columns.astype(np.float16), main)
    graph = generator.graph_bytes(generator.decoder_graph(decoder))
    replace_file(tiny_copy, "decoder.onnx", graph)
    bundle = load_bundle(tiny_copy, device="cpu")
    assert bundle.norms.prior is not None
    prior = bundle.norms.prior.population
    found = calibrate_latent(bundle, prior, runs).posterior
    # The likelihood of the first two alone, and Bayes' rule for jointly normal numbers.
    slope = prior.covariance[2, :2] @ np.linalg.inv(prior.covariance[:2, :2])
    left = prior.covariance[2, 2] - slope @ prior.covariance[:2, 2]
    np.testing.assert_allclose(
        found.mean[2], prior.mean[2] + slope @ (found.mean - prior.mean)[:2], rtol=1e-6
    )
    np.testing.assert_allclose(found.covariance[2, :2], slope @ found.covariance[:2, :2], rtol=1e-6)
    np.testing.assert_allclose(
        found.covariance[2, 2], left + slope @ found.covariance[:2, :2] @ slope, rtol=1e-6
    )
    assert abs(found.mean - prior.mean)[2] > 0.01
    swapped = LatentDistribution(prior.mean[:2], prior.covariance[:2, :2])
    assert np.linalg.det(found.covariance[:2, :2]) < 0.6 * np.linalg.det(swapped.covariance)


def test_trials_that_no_number_moves_leave_the_prior(
    tiny: Bundle, prior: LatentDistribution, runs: list[ObservedRun], monkeypatch: Any
) -> None:
    n_steps = max(run.events.n_steps for run in runs)

    def run(_: Bundle, weights: NDArray[np.float32], *__: Any) -> tuple[Any, None, None]:
        return np.full((len(weights), n_steps, 3), 0.01, np.float32), None, None

    monkeypatch.setattr(Bundle, "run_main", run)
    found = calibrate_latent(tiny, prior, runs)
    assert found.posterior is prior
    assert found.n_trials > 20
    assert found.log_likelihood == found.prior_log_likelihood < 0


def test_a_search_without_an_end_says_so(
    tiny: Bundle, runs: list[ObservedRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posterior_search, "MAX_STEPS", 1)
    twin = tiny.population_twin().calibrate(runs)
    assert twin.calibration is not None
    assert not twin.calibration.converged
    assert twin.warnings[-1].startswith("The search for what this person's trials say")


def test_other_bundles_cannot_be_calibrated(
    tiny: Bundle,
    tiny_plain: Bundle,
    tiny_copy: Path,
    edit_manifest: Callable[[Path, Callable[[dict[str, Any]], object]], None],
    prior: LatentDistribution,
    runs: list[ObservedRun],
) -> None:
    with pytest.raises(UsageError, match="'tiny_plain' has no latent, so it cannot learn"):
        calibrate_latent(tiny_plain, prior, runs)
    edit_manifest(tiny_copy, lambda document: document.update(action_reading="density"))
    densities = load_bundle(tiny_copy, device="cpu")
    with pytest.raises(UsageError, match="gives densities, not hazards, so it cannot learn"):
        calibrate_latent(densities, prior, runs)
    edit_manifest(
        tiny_copy, lambda document: document.update(action_reading="hazard", tasks=["stroop"])
    )
    with pytest.raises(UsageError, match="is a run of 'hammer', but bundle 'tiny' was only"):
        calibrate_latent(load_bundle(tiny_copy, device="cpu"), prior, runs)
    two = LatentDistribution(np.zeros(2), np.eye(2))
    with pytest.raises(UsageError, match="a latent of 3 numbers, but the prior has 2"):
        calibrate_latent(tiny, two, runs)
    with pytest.raises(UsageError, match="A seed must be 0 or more, found -1"):
        calibrate_latent(tiny, prior, runs, seed=-1)
