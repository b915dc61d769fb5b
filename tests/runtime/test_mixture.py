"""Mixtures of response-time distributions, against numerical integration and brute sampling."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.errors import UsageError
from dtb_runtime.events import Events, default_schedule, events_from_columns
from dtb_runtime.mixture import mix
from dtb_runtime.responses import read_densities, read_hazards
from dtb_runtime.tasks import DT_S
from dtb_runtime.trial_distributions import TrialDistributions

WEIGHTS = np.array([0.5, 0.2, 0.3])
READINGS = pytest.mark.parametrize("read", [read_hazards, read_densities])


@pytest.fixture
def events() -> Events:
    n = 4
    return events_from_columns(
        {
            "onset": [0.0, 2.013, 4.25, 9.1],
            "duration": [2.0, 2.2, 1.499, 3.3],
            "trial_type": ["con1"] * n,
            "stimulus_text": ["red"] * n,
            "stimulus_color": ["red"] * n,
        },
        "stroop",
    )


def outputs(rng: np.random.Generator, events: Events, level: float) -> NDArray[np.float64]:
    """Three options' outputs, near 0 as a rule and high now and then."""
    logits = rng.normal(level, 1.5, size=(events.n_steps, 3))
    return np.asarray(1.0 / (1.0 + np.exp(-logits)))


@pytest.fixture
def parts(events: Events, rng: np.random.Generator) -> list[TrialDistributions]:
    """A slow person, a fast one, and one in between."""
    return [
        read_hazards(outputs(rng, events, level), events, 3, DT_S) for level in (-5.0, -2.5, -3.5)
    ]


@READINGS
@pytest.mark.parametrize("n", [1, 2, 16])
def test_equal_draws_give_the_same_as_one(read: Any, n: int, rng: np.random.Generator) -> None:
    events = default_schedule("stroop")
    one = read(outputs(rng, events, -4.0), events, 3, DT_S)
    mixed = mix([one] * n, np.arange(1.0, n + 1.0))
    for field in dataclasses.fields(TrialDistributions):
        expected, found = getattr(one, field.name), getattr(mixed, field.name)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
    for q in (0.0, 0.05, 0.5, 1.0):
        np.testing.assert_allclose(mixed.quantile(q), one.quantile(q), rtol=1e-9)


def test_chances_and_means_are_those_of_the_mixture(parts: list[TrialDistributions]) -> None:
    """Means from a fine sum over time of each part's own distribution function."""
    mixed = mix(parts, WEIGHTS)
    times = np.linspace(0.0, 3.4, 34_001)
    for trial in range(4):
        reached = np.array([[part.p_response_by(t)[trial] for t in times[::10]] for part in parts])
        together = WEIGHTS @ reached
        p_response = together[-1]
        mean_s = times[-1] - np.trapezoid(together / p_response, times[::10])
        assert mixed.response_time_s[trial] == pytest.approx(mean_s, abs=2e-6)
        assert 1.0 - mixed.p_no_response[trial] == pytest.approx(p_response, abs=1e-12)
    expected = np.einsum("d,dto->to", WEIGHTS, [part.option_probability for part in parts])
    np.testing.assert_allclose(mixed.option_probability, expected, rtol=1e-12)
    total = mixed.option_probability.sum(axis=1) + mixed.p_no_response
    np.testing.assert_allclose(total, 1.0, atol=1e-12)
    naive = WEIGHTS @ [part.response_time_s for part in parts]
    assert np.abs(mixed.response_time_s - naive).max() > 0.02  # who answers more counts more


@READINGS
def test_the_distribution_function_is_the_mixture_at_every_step(
    read: Any, events: Events, rng: np.random.Generator
) -> None:
    parts = [read(outputs(rng, events, level), events, 3, DT_S) for level in (-5.0, -2.5, -3.5)]
    mixed = mix(parts, WEIGHTS)
    for step in range(mixed.step_mass.shape[1]):
        end_s = mixed.step_start_s[:, step] + mixed.step_length_s[:, step]
        expected = WEIGHTS @ [part.p_response_by(end_s) for part in parts]
        np.testing.assert_allclose(mixed.p_response_by(end_s), expected, atol=1e-12)
        # Inside a step only the shape may differ, and not by much, though these outputs jump.
        middle_s = mixed.step_start_s[:, step] + mixed.step_length_s[:, step] / 2.0
        expected = WEIGHTS @ [part.p_response_by(middle_s) for part in parts]
        np.testing.assert_allclose(mixed.p_response_by(middle_s), expected, atol=0.02)


def test_quantiles_are_those_of_samples_from_every_part(
    parts: list[TrialDistributions], rng: np.random.Generator
) -> None:
    mixed = mix(parts, WEIGHTS)
    which = rng.choice(3, size=20_000, p=WEIGHTS)
    samples = [
        np.stack([part.sample(rng)[1] for _ in range((which == i).sum())])
        for i, part in enumerate(parts)
    ]
    times = np.concatenate(samples)
    for q in (0.05, 0.25, 0.5, 0.75, 0.95):
        for trial in range(4):
            answered = times[:, trial][~np.isnan(times[:, trial])]
            share = (answered <= mixed.quantile(q)[trial]).mean()
            error = np.sqrt(q * (1 - q) / len(answered))
            assert abs(share - q) < 4 * error + 0.003


def test_a_mixture_of_hazards_is_the_hazard_of_the_mixture(
    parts: list[TrialDistributions],
) -> None:
    """Share of those left who press in a step, counted out in plain loops."""
    mixed = mix(parts, WEIGHTS)
    for trial in range(4):
        left = 1.0
        for step in range(mixed.step_mass.shape[1]):
            pressed = sum(
                weight * part.step_mass[trial, step].sum()
                for weight, part in zip(WEIGHTS, parts, strict=True)
            )
            chance = 1.0 - np.exp(-mixed.step_hazard[trial, step])
            assert chance == pytest.approx(pressed / left, abs=1e-10)
            left -= pressed
        assert left == pytest.approx(mixed.p_no_response[trial], abs=1e-10)


def test_densities_stay_even_inside_their_steps(events: Events, rng: np.random.Generator) -> None:
    parts = [read_densities(outputs(rng, events, -4.0), events, 3, DT_S) for _ in range(3)]
    np.testing.assert_array_equal(mix(parts).step_hazard, 0.0)


def test_two_persons_are_wider_than_each(events: Events) -> None:
    """A sure person at 0.4 s and one at 1.2 s: the mean lies where neither of them answers."""
    early, late = np.zeros((2, events.n_steps, 1))
    early[5], late[15] = 1.0, 1.0
    parts = [read_hazards(own, events, 1, DT_S) for own in (early, late)]
    mixed = mix(parts)
    assert [part.response_time_s[0] for part in parts] == pytest.approx([0.4, 1.2])
    assert mixed.response_time_s[0] == pytest.approx(0.8)
    assert mixed.p_no_response[0] == 0.0
    assert mixed.quantile(0.05)[0] == pytest.approx(0.4, abs=DT_S)
    assert mixed.quantile(0.95)[0] == pytest.approx(1.2, abs=1e-12)
    rare = mix(parts, [0.99, 0.01])
    assert rare.response_time_s[0] == pytest.approx(0.408)


def test_a_person_who_never_answers_changes_no_response_time(
    parts: list[TrialDistributions], events: Events
) -> None:
    silent = read_hazards(np.zeros((events.n_steps, 3)), events, 3, DT_S)
    mixed = mix([parts[0], silent])
    np.testing.assert_allclose(mixed.response_time_s, parts[0].response_time_s, rtol=1e-12)
    np.testing.assert_allclose(mixed.p_no_response, 0.5 + parts[0].p_no_response / 2.0)
    for q in (0.05, 0.95):
        np.testing.assert_allclose(mixed.quantile(q), parts[0].quantile(q), atol=0.02)
    assert np.isnan(mix([silent, silent]).response_time_s).all()


def test_a_weight_of_0_is_the_same_as_not_being_there(parts: list[TrialDistributions]) -> None:
    with_none, without = mix(parts, [2.0, 0.0, 1.0]), mix([parts[0], parts[2]], [2.0, 1.0])
    for field in dataclasses.fields(TrialDistributions):
        np.testing.assert_array_equal(getattr(with_none, field.name), getattr(without, field.name))


def test_sure_presses_and_hopeless_ones_give_finite_numbers(events: Events) -> None:
    """Survival of e-1000 and of exactly 0 in the same trial."""
    actions = np.full((events.n_steps, 1), 1.0 - 1e-16)
    certain = actions.copy()
    certain[3] = 1.0
    parts = [read_hazards(own, events, 1, DT_S) for own in (actions, certain, actions * 1e-3)]
    mixed = mix(parts)
    for field in ("step_mass", "response_time_s", "p_no_response"):
        assert np.isfinite(getattr(mixed, field)).all()
    assert not np.isnan(mixed.step_hazard).any()
    assert np.isfinite(mixed.quantile(0.5)).all()


def test_a_mixture_cannot_be_changed(parts: list[TrialDistributions]) -> None:
    mixed = mix(parts)
    for field in dataclasses.fields(TrialDistributions):
        if field.name != "dt_s":
            with pytest.raises(ValueError, match="read-only"):
                getattr(mixed, field.name)[:] = 0.0


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0.5, 0.5], r"There are 3 distributions but weights of shape \(2,\)"),
        ([1.0, -0.1, 1.0], "Weights must be 0 or more, finite and not all 0"),
        ([0.0, 0.0, 0.0], "not all 0"),
        ([1.0, np.nan, 1.0], "finite"),
        ([1.0, np.inf, 1.0], "finite"),
    ],
)
def test_bad_weights_are_refused(
    weights: list[float], message: str, parts: list[TrialDistributions]
) -> None:
    with pytest.raises(UsageError, match=message):
        mix(parts, weights)


def test_different_runs_are_not_mixed(
    parts: list[TrialDistributions], rng: np.random.Generator
) -> None:
    other = default_schedule("stroop")
    with pytest.raises(UsageError, match=r"different runs cannot be mixed.*same events"):
        mix([parts[0], read_hazards(outputs(rng, other, -4.0), other, 3, DT_S)])
    with pytest.raises(UsageError, match="no distributions to mix"):
        mix([])
