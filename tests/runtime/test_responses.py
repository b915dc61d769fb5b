"""Action outputs read as response distributions: against brute force, chance and known laws."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.errors import DataError, UsageError
from dtb_runtime.events import Events, events_from_columns
from dtb_runtime.responses import read_densities, read_hazards
from dtb_runtime.tasks import DT_S, get_task
from dtb_runtime.trial_distributions import NO_RESPONSE, TrialDistributions

integrate = pytest.importorskip("scipy.integrate", reason="scipy is the independent reference")
stats = pytest.importorskip("scipy.stats", reason="scipy is the independent reference")

Read = Callable[[NDArray[np.floating], Events, int, float], TrialDistributions]
READINGS = pytest.mark.parametrize("read", [read_hazards, read_densities])


def schedule(onsets_s: list[float], durations_s: list[float]) -> Events:
    """Stroop trials at these times; what is shown does not matter here."""
    n = len(onsets_s)
    return events_from_columns(
        {
            "onset": onsets_s,
            "duration": durations_s,
            "trial_type": ["con1"] * n,
            "stimulus_text": ["red"] * n,
            "stimulus_color": ["red"] * n,
        },
        "stroop",
    )


def constant(p: float | list[float], events: Events) -> NDArray[np.float64]:
    """The same outputs at every step of a run."""
    return np.tile(np.atleast_1d(np.asarray(p, dtype=np.float64)), (events.n_steps, 1))


def bursts(rng: np.random.Generator, events: Events, n_actions: int = 3) -> NDArray[np.float32]:
    """Outputs such as a trained network gives: mostly near 0, high now and then."""
    logits = rng.normal(-3.0, 1.5, size=(events.n_steps, n_actions))
    return (1.0 / (1.0 + np.exp(-logits))).astype(np.float32)


# ---- against brute force


@dataclass
class Piece:
    """One step's part of a window, in plain numbers: from, to, rate of a press, split."""

    start_s: float
    end_s: float
    rate: float
    split: NDArray[np.float64]


def pieces_of(
    actions: NDArray[np.floating], events: Events, trial: int, n_options: int
) -> list[Piece]:
    """The hazard reading again, step by step and from its words alone."""
    onset = float(events.onset_s[trial])
    end = onset + float(events.duration_s[trial])
    pieces = []
    for step in range(events.onset_step[trial], events.offset_step[trial]):
        p = actions[step, :n_options].astype(np.float64)
        any_press = 1.0 - np.prod(1.0 - p)
        odds = p / (1.0 - p)
        start = max(step * DT_S, onset) - onset
        stop = min((step + 1) * DT_S, end) - onset
        pieces.append(Piece(start, stop, -np.log(1.0 - any_press) / DT_S, odds / odds.sum()))
    return pieces


def survival(pieces: list[Piece], time_s: float) -> float:
    """Chance that nothing is pressed until `time_s`."""
    hazard = sum(p.rate * max(0.0, min(time_s, p.end_s) - p.start_s) for p in pieces)
    return float(np.exp(-hazard))


@pytest.mark.parametrize("trial", range(4))
def test_hazards_match_numerical_integration(trial: int, rng: np.random.Generator) -> None:
    events = schedule([0.0, 2.013, 4.25, 9.1], [2.0, 2.2, 1.499, 3.3])
    actions = bursts(rng, events)
    read = read_hazards(actions, events, 3, DT_S)
    pieces = pieces_of(actions, events, trial, 3)
    end_s = pieces[-1].end_s
    at_end = survival(pieces, end_s)

    def alive(time_s: float) -> float:
        return survival(pieces, time_s)

    lived = [integrate.quad(alive, piece.start_s, piece.end_s)[0] for piece in pieces]
    pressed = [piece.rate * part for piece, part in zip(pieces, lived, strict=True)]
    probability = sum(x * piece.split for x, piece in zip(pressed, pieces, strict=True))
    mean_s = (sum(lived) - at_end * end_s) / (1 - at_end)
    np.testing.assert_allclose(read.option_probability[trial], probability, rtol=1e-10)
    assert read.p_no_response[trial] == pytest.approx(at_end, rel=1e-12)
    assert read.response_time_s[trial] == pytest.approx(mean_s, rel=1e-10)
    for q in (0.05, 0.25, 0.5, 0.75, 0.95):
        time_s = read.quantile(q)[trial]
        assert alive(time_s) == pytest.approx(1 - q * (1 - at_end), rel=1e-12)
        assert 0.0 < time_s < end_s


def test_hazards_match_independent_presses_of_each_option(rng: np.random.Generator) -> None:
    # From the definition: in each step every option is pressed or not on its own; if any is, the
    # one pressed is what remains when exactly one is.
    events = schedule([0.56], [0.8])
    actions = bursts(rng, events) * 3.0
    steps = slice(int(events.onset_step[0]), int(events.offset_step[0]))
    n_draws, p = 200_000, np.clip(actions[steps].astype(np.float64), 0.0, 0.6)
    open_trials, counts = n_draws, np.zeros((len(p), 3))
    for step, p_step in enumerate(p):
        n_pressed = rng.binomial(open_trials, 1.0 - np.prod(1.0 - p_step))
        draws = rng.random((20 * n_pressed + 2000, 3)) < p_step
        alone = draws[draws.sum(axis=1) == 1][:n_pressed]
        counts[step] = alone.sum(axis=0) * (n_pressed / max(len(alone), 1))
        open_trials -= n_pressed
    clipped = np.zeros((events.n_steps, 3))
    clipped[steps] = p
    read = read_hazards(clipped, events, 3, DT_S)
    error = np.sqrt(read.step_mass[0] * (1 - read.step_mass[0]) / n_draws)
    assert np.all(np.abs(counts / n_draws - read.step_mass[0]) < 5 * error + 1e-6)
    assert open_trials / n_draws == pytest.approx(read.p_no_response[0], abs=0.005)


def test_density_masses_are_the_outputs_themselves() -> None:
    events = schedule([0.8], [0.4])
    actions = np.zeros((events.n_steps, 3))
    actions[10:15] = [
        [0.1, 0.0, 0.0],
        [0.0, 0.2, 0.0],
        [0.0, 0.0, 0.0],
        [0.1, 0.1, 0.0],
        [0.0, 0.0, 0.0],
    ]
    actions[9] = actions[15] = 0.9  # just outside the window
    read = read_densities(actions, events, 3, DT_S)
    np.testing.assert_allclose(read.option_probability[0], [0.2, 0.3, 0.0], atol=1e-15)
    assert read.p_no_response[0] == pytest.approx(0.5, abs=1e-15)
    mean = (0.1 * 0.04 + 0.2 * 0.12 + 0.2 * 0.28) / 0.5
    assert read.response_time_s[0] == pytest.approx(mean, abs=1e-14)
    # 0.1 in [0, 0.08), 0.2 in [0.08, 0.16), 0.2 in [0.24, 0.32); uniform inside.
    assert read.quantile(0.1)[0] == pytest.approx(0.04, abs=1e-14)
    assert read.quantile(0.4)[0] == pytest.approx(0.12, abs=1e-14)
    assert read.quantile(0.8)[0] == pytest.approx(0.28, abs=1e-14)


def test_densities_that_sum_above_one_are_divided_by_their_sum() -> None:
    events = schedule([0.8], [0.4])
    read = read_densities(constant([0.3, 0.1, 0.0], events), events, 3, DT_S)
    np.testing.assert_allclose(read.option_probability[0], [0.75, 0.25, 0.0], atol=1e-15)
    assert read.p_no_response[0] == 0.0
    assert read.response_time_s[0] == pytest.approx(0.2)


def test_columns_beyond_the_options_are_not_read(rng: np.random.Generator) -> None:
    events = schedule([0.8], [2.0])
    actions = bursts(rng, events)
    read = read_hazards(actions, events, 2, DT_S)
    actions[:, 2] = 1.0
    again = read_hazards(actions, events, 2, DT_S)
    np.testing.assert_array_equal(read.step_mass, again.step_mass)
    assert again.n_options == 2


# ---- laws


@READINGS
@pytest.mark.parametrize("task", ["hammer", "stroop"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_options_and_no_response_sum_to_one(
    read: Read, task: str, dtype: type[np.floating], rng: np.random.Generator
) -> None:
    definition = get_task(task)
    events = definition.schedule()
    actions: NDArray[np.floating] = rng.beta(0.05, 0.5, size=(events.n_steps, 3)).astype(dtype)
    actions[rng.random(actions.shape) < 0.3] = 0.0
    actions[rng.random(actions.shape) < 0.01] = 1.0
    distributions = read(actions, events, len(definition.options), DT_S)
    total = distributions.option_probability.sum(axis=1) + distributions.p_no_response
    np.testing.assert_allclose(total, 1.0, rtol=0, atol=1e-12)
    assert distributions.option_probability.min() >= 0.0
    assert distributions.p_no_response.min() >= 0.0
    window_s = (events.offset_step - events.onset_step) * DT_S
    responds = distributions.p_no_response < 1.0
    assert np.all(distributions.response_time_s[responds] >= 0.0)
    assert np.all(distributions.response_time_s[responds] <= window_s[responds])


def test_a_constant_hazard_is_a_truncated_exponential() -> None:
    p, duration = 0.07, 2.0
    events = schedule([1.6], [duration])
    read = read_hazards(constant(p, events), events, 1, DT_S)
    rate = -np.log1p(-p) / DT_S
    law = stats.truncexpon(b=rate * duration, scale=1 / rate)
    assert read.p_no_response[0] == pytest.approx(np.exp(-rate * duration), rel=1e-12)
    assert read.response_time_s[0] == pytest.approx(law.mean(), rel=1e-12)
    for q in (0.001, 0.3, 0.9, 1.0):
        assert read.quantile(q)[0] == pytest.approx(law.ppf(q), rel=1e-12)


@pytest.mark.parametrize("phase", [0.0, 0.013, 0.04, 0.0799])
def test_the_place_of_the_onset_on_the_grid_does_not_matter(phase: float) -> None:
    events = schedule([1.6, 4.0 + phase], [1.999, 1.999])
    read = read_hazards(constant(0.05, events), events, 1, DT_S)
    for each in (read.p_no_response, read.response_time_s, read.quantile(0.2), read.quantile(0.9)):
        assert each[1] == pytest.approx(each[0], rel=1e-12)


def test_only_the_part_of_a_step_inside_the_window_counts() -> None:
    # Steps 12 and 13 of the grid; the trial begins a quarter into the first and ends half-way
    # through the second.
    events = schedule([12.25 * DT_S], [1.25 * DT_S])
    actions = np.zeros((events.n_steps, 1))
    actions[12], actions[13] = 0.3, 0.6
    hazard = read_hazards(actions, events, 1, DT_S)
    assert hazard.p_no_response[0] == pytest.approx(0.7**0.75 * 0.4**0.5, rel=1e-12)
    density = read_densities(actions, events, 1, DT_S)
    assert density.option_probability[0, 0] == pytest.approx(0.3 * 0.75 + 0.6 * 0.5, rel=1e-12)
    np.testing.assert_allclose(hazard.step_start_s[0], [0.0, 0.75 * DT_S], atol=1e-12)
    np.testing.assert_allclose(hazard.step_length_s[0], [0.75 * DT_S, 0.5 * DT_S], atol=1e-12)


def test_a_window_ends_where_the_next_trials_first_step_begins() -> None:
    # 4.25 s lies inside step 53, which belongs to the second trial alone.
    events = schedule([2.0, 4.25], [2.25, 4.5])
    actions = np.zeros((events.n_steps, 1))
    actions[53] = 0.5
    read = read_hazards(actions, events, 1, DT_S)
    assert read.p_no_response[0] == 1.0
    assert read.step_length_s[0].sum() == pytest.approx(53 * DT_S - 2.0)
    assert read.option_probability[1, 0] == pytest.approx(1 - 0.5 ** ((54 * 0.08 - 4.25) / 0.08))


@READINGS
def test_steps_after_the_end_of_a_trial_count_for_nothing(read: Read) -> None:
    events = schedule([0.8], [0.8])
    longer = dataclasses.replace(events, offset_step=events.offset_step + 3)
    actions = constant(0.02, events)
    actions[20:] = 1.0
    same, expected = read(actions, longer, 1, DT_S), read(actions, events, 1, DT_S)
    np.testing.assert_allclose(same.option_probability, expected.option_probability, rtol=1e-12)
    np.testing.assert_allclose(same.response_time_s, expected.response_time_s, rtol=1e-12)


def test_splitting_every_step_in_two_changes_nothing(rng: np.random.Generator) -> None:
    events = schedule([0.83, 3.0], [1.97, 2.5])
    actions = bursts(rng, events, 1).astype(np.float64)
    halved = dataclasses.replace(
        events, onset_step=events.onset_step * 2, offset_step=events.offset_step * 2
    )
    whole = read_hazards(actions, events, 1, DT_S)
    split = read_hazards(np.repeat(1 - np.sqrt(1 - actions), 2, axis=0), halved, 1, DT_S / 2)
    np.testing.assert_allclose(split.option_probability, whole.option_probability, rtol=1e-12)
    np.testing.assert_allclose(split.response_time_s, whole.response_time_s, rtol=1e-12)
    np.testing.assert_allclose(split.quantile(0.37), whole.quantile(0.37), rtol=1e-10)


def test_options_with_equal_outputs_share_as_one_with_their_joint_hazard() -> None:
    events = schedule([0.8], [2.0])
    three = read_hazards(constant([0.02, 0.02, 0.02], events), events, 3, DT_S)
    one = read_hazards(constant(1 - 0.98**3, events), events, 1, DT_S)
    np.testing.assert_allclose(three.option_probability[0], one.option_probability[0, 0] / 3)
    np.testing.assert_allclose(three.response_time_s, one.response_time_s, rtol=1e-12)


@READINGS
def test_stretching_time_stretches_response_times(read: Read, rng: np.random.Generator) -> None:
    events = schedule([0.83, 3.0], [1.97, 2.5])
    actions = bursts(rng, events)
    stretched = dataclasses.replace(
        events, onset_s=events.onset_s * 1.7, duration_s=events.duration_s * 1.7
    )
    before, after = read(actions, events, 3, DT_S), read(actions, stretched, 3, DT_S * 1.7)
    np.testing.assert_allclose(after.option_probability, before.option_probability, rtol=1e-10)
    np.testing.assert_allclose(after.response_time_s, before.response_time_s * 1.7, rtol=1e-10)
    np.testing.assert_allclose(after.quantile(0.9), before.quantile(0.9) * 1.7, rtol=1e-10)


def test_a_higher_hazard_is_more_often_pressed_and_no_rarer_at_any_time(
    rng: np.random.Generator,
) -> None:
    events = schedule([0.83, 3.0], [1.97, 2.5])
    actions = bursts(rng, events)
    raised = actions.copy()
    raised[:, 1] += 0.1 * (1 - raised[:, 1])
    before, after = (read_hazards(each, events, 3, DT_S) for each in (actions, raised))
    assert np.all(after.option_probability[:, 1] > before.option_probability[:, 1])
    assert np.all(after.option_probability[:, [0, 2]] < before.option_probability[:, [0, 2]])
    assert np.all(after.p_no_response < before.p_no_response)
    for time_s in np.linspace(0.05, 1.9, 20):
        assert np.all(after.p_response_by(time_s) > before.p_response_by(time_s))


@READINGS
def test_a_quantile_is_the_inverse_of_the_chance_to_have_responded(
    read: Read, rng: np.random.Generator
) -> None:
    events = schedule([0.83, 3.0, 5.6], [1.97, 2.5, 8.25])
    distributions = read(bursts(rng, events), events, 3, DT_S)
    p_response = distributions.option_probability.sum(axis=1)
    last = np.zeros(3)
    for q in np.linspace(0.0, 1.0, 41):
        time_s = distributions.quantile(float(q))
        reached = distributions.p_response_by(time_s) / p_response
        np.testing.assert_allclose(reached, q, atol=1e-12)
        assert np.all(time_s >= last)
        last = time_s
    assert np.all(distributions.p_response_by(-0.01) == 0.0)
    np.testing.assert_allclose(distributions.p_response_by(np.inf), p_response, rtol=1e-14)


@READINGS
def test_quantiles_leave_out_times_without_any_chance_of_a_press(read: Read) -> None:
    events = schedule([0.8], [1.6])
    actions = np.zeros((events.n_steps, 1))
    actions[[14, 20]] = 0.2
    distributions = read(actions, events, 1, DT_S)
    assert distributions.quantile(0.0)[0] == pytest.approx(4 * DT_S)
    assert distributions.quantile(1.0)[0] == pytest.approx(11 * DT_S)


@READINGS
def test_the_density_is_the_slope_of_the_chance_to_have_responded(
    read: Read, rng: np.random.Generator
) -> None:
    events = schedule([0.83, 3.0, 5.6], [1.97, 2.5, 8.25])
    distributions = read(bursts(rng, events), events, 3, DT_S)
    p_response = distributions.option_probability.sum(axis=1)
    h = 1e-6
    for time_s in rng.uniform(0.01, 1.95, 50):
        rise = distributions.p_response_by(time_s + h) - distributions.p_response_by(time_s - h)
        density = np.exp(distributions.log_density(time_s))
        np.testing.assert_allclose(density, rise / (2 * h) / p_response, rtol=1e-3, atol=1e-8)


@READINGS
def test_the_density_integrates_to_one_over_the_window(
    read: Read, rng: np.random.Generator
) -> None:
    events = schedule([0.83, 3.0], [1.97, 2.5])
    distributions = read(bursts(rng, events), events, 3, DT_S)
    for trial in range(2):
        start, length = (
            each[trial] for each in (distributions.step_start_s, distributions.step_length_s)
        )
        total = 0.0
        for begins, lasts in zip(start[length > 0], length[length > 0], strict=True):
            nodes, node_weights = np.polynomial.legendre.leggauss(8)
            places = begins + lasts * (nodes + 1) / 2
            values = [np.exp(distributions.log_density(place)[trial]) for place in places]
            total += float(np.dot(values, node_weights)) * lasts / 2
        assert total == pytest.approx(1.0, abs=1e-10)


def test_the_density_of_a_constant_hazard_is_a_truncated_exponentials() -> None:
    p, duration = 0.07, 2.0
    events = schedule([1.63], [duration])
    read = read_hazards(constant(p, events), events, 1, DT_S)
    rate = -np.log1p(-p) / DT_S
    law = stats.truncexpon(b=rate * duration, scale=1 / rate)
    for time_s in (0.0, 0.0123, 0.7, 1.9999, duration):
        assert read.log_density(time_s)[0] == pytest.approx(law.logpdf(time_s), rel=1e-9)


def test_there_is_no_density_where_no_press_can_fall() -> None:
    events = schedule([0.8, 3.2, 5.6], [1.6, 1.6, 1.6])
    actions = np.zeros((events.n_steps, 1))
    actions[[14, 44]] = 0.2  # 0.32 to 0.4 s after the first and the second onset
    read = read_hazards(actions, events, 1, DT_S)
    inside = np.log(-np.log(0.8) / DT_S * 0.8**0.5 / 0.2)
    np.testing.assert_allclose(read.log_density(0.36)[:2], inside, rtol=1e-9)
    assert read.log_density([0.5, 1.7, 0.36]).tolist()[:2] == [-np.inf, -np.inf]
    assert read.log_density(-0.01)[0] == -np.inf
    assert np.isnan(read.log_density(0.36)[2])  # no response at all
    assert np.isnan(read.log_density(np.nan)).all()


def test_a_certain_press_has_the_density_of_its_step() -> None:
    events = schedule([0.8], [1.6])
    actions = np.zeros((events.n_steps, 1))
    actions[15] = 1.0
    read = read_hazards(actions, events, 1, DT_S)
    assert read.log_density(0.45)[0] == pytest.approx(np.log(1 / DT_S))
    assert read.log_density(0.39)[0] == -np.inf


# ---- the ends of the range


@READINGS
def test_no_output_means_no_response(read: Read, rng: np.random.Generator) -> None:
    events = schedule([0.8, 3.2], [1.6, 1.6])
    actions = constant([0.0, 0.0, 0.0], events)
    actions[45] = 0.4
    distributions = read(actions, events, 3, DT_S)
    assert distributions.p_no_response[0] == 1.0
    assert np.all(distributions.option_probability[0] == 0.0)
    assert np.isnan(distributions.response_time_s).tolist() == [True, False]
    assert np.isnan(distributions.quantile(0.5)).tolist() == [True, False]
    for _ in range(20):
        option, time_s = distributions.sample(rng)
        assert option[0] == NO_RESPONSE
        assert np.isnan(time_s[0])


def test_a_certain_press_sits_at_the_beginning_of_its_step(rng: np.random.Generator) -> None:
    events = schedule([0.8], [1.6])
    actions = np.zeros((events.n_steps, 3), dtype=np.float32)
    actions[15, 1] = 1.0
    actions[15, 2] = 0.9
    actions[16:, 0] = 0.5  # too late
    read = read_hazards(actions, events, 3, DT_S)
    assert read.option_probability[0].tolist() == [0.0, 1.0, 0.0]
    assert read.p_no_response[0] == 0.0
    beginning = pytest.approx(5 * DT_S, abs=1e-12)
    assert read.response_time_s[0] == beginning
    assert [read.quantile(q)[0] for q in (0.0, 0.5, 1.0)] == [beginning] * 3
    assert read.p_response_by(5 * DT_S - 1e-6)[0] == 0.0
    assert read.p_response_by(5 * DT_S + 1e-6)[0] == 1.0
    option, time_s = read.sample(rng)
    assert (option[0], time_s[0]) == (1, beginning)


def test_certain_presses_share_evenly_and_are_the_limit_of_nearly_certain_ones() -> None:
    events = schedule([0.8], [1.6])
    certain = read_hazards(constant([1.0, 0.4, 1.0], events), events, 3, DT_S)
    nearly = read_hazards(constant([1 - 1e-13, 0.4, 1 - 1e-13], events), events, 3, DT_S)
    assert certain.option_probability[0].tolist() == [0.5, 0.0, 0.5]
    np.testing.assert_allclose(nearly.option_probability, certain.option_probability, atol=1e-12)
    assert certain.response_time_s[0] == 0.0
    assert nearly.response_time_s[0] < 0.002


def test_tiny_hazards_keep_their_precision() -> None:
    events = schedule([0.8], [1.6])
    read = read_hazards(constant([1e-14, 3e-14], events), events, 2, DT_S)
    np.testing.assert_allclose(read.option_probability[0], [20e-14, 60e-14], rtol=1e-10)
    assert read.response_time_s[0] == pytest.approx(0.8, rel=1e-10)
    assert read.quantile(0.25)[0] == pytest.approx(0.4, rel=1e-10)


def test_the_mean_inside_a_step_is_smooth_where_its_formula_changes() -> None:
    # One window of one step: the mean is that of a truncated exponential at any hazard.
    events = schedule([0.8], [DT_S])
    for hazard in (0.003, 0.0099999, 0.0100001, 0.5, 30.0, 36.0):
        p = -np.expm1(-hazard)
        read = read_hazards(constant(p, events), events, 1, DT_S)
        found = -np.log1p(-p)  # what is left of `hazard` in a float64 chance
        expected = stats.truncexpon(b=found, scale=DT_S / found).mean()
        assert read.response_time_s[0] == pytest.approx(expected, rel=1e-8)


# ---- samples


@READINGS
def test_samples_follow_the_distribution(read: Read, rng: np.random.Generator) -> None:
    # The same trial 3,000 times: 2.4 s apart is a whole number of steps.
    n = 3000
    events = schedule([0.03 + 2.4 * i for i in range(n)], [2.37] * n)
    one = rng.beta(0.3, 12.0, size=(30, 3))
    actions = np.zeros((events.n_steps, 3))
    actions[: 30 * n] = np.tile(one, (n, 1))
    distributions = read(actions, events, 3, DT_S)
    option, time_s = distributions.sample(rng)

    answered = option != NO_RESPONSE
    np.testing.assert_array_equal(np.isnan(time_s), ~answered)
    expected = np.append(distributions.option_probability[0], distributions.p_no_response[0]) * n
    counts = [np.count_nonzero(option == each) for each in (0, 1, 2, NO_RESPONSE)]
    likely = expected > 5
    assert np.all(np.asarray(counts)[~likely] < 20)
    chi = np.sum((np.asarray(counts)[likely] - expected[likely]) ** 2 / expected[likely])
    assert stats.chi2.sf(chi, likely.sum() - 1) > 0.01

    # At the time drawn, the chance to have responded by then is uniform.
    reached = distributions.p_response_by(np.where(answered, time_s, 0.0))[answered]
    share = reached / (1.0 - distributions.p_no_response[answered])
    assert stats.kstest(share, "uniform").pvalue > 0.01


def test_sampled_times_have_the_law_of_their_trial(rng: np.random.Generator) -> None:
    n, p, duration_s = 3000, 0.04, 1.9
    events = schedule([0.03 + 2.4 * i for i in range(n)], [duration_s] * n)
    _, time_s = read_hazards(constant(p, events), events, 1, DT_S).sample(rng)
    rate = -np.log1p(-p) / DT_S
    law = stats.truncexpon(b=rate * duration_s, scale=1 / rate)
    assert stats.kstest(time_s[~np.isnan(time_s)], law.cdf).pvalue > 0.01


def test_option_and_time_of_a_sample_belong_together(rng: np.random.Generator) -> None:
    # Option 0 can be pressed in the first half only, option 1 in the second half only.
    n = 500
    events = schedule([2.4 * i for i in range(n)], [1.6] * n)
    actions = np.zeros((events.n_steps, 2))
    step = np.arange(events.n_steps) % 30
    actions[step < 10, 0] = actions[(step >= 10) & (step < 20), 1] = 0.08
    option, time_s = read_hazards(actions, events, 2, DT_S).sample(rng)
    assert np.all(time_s[option == 0] < 0.8)
    assert np.all(time_s[option == 1] >= 0.8)
    assert {0, 1, NO_RESPONSE} == set(option.tolist())


def test_a_seed_fixes_the_sample_and_every_trial_uses_two_numbers(
    rng: np.random.Generator,
) -> None:
    events = schedule([0.83, 3.0], [1.97, 2.5])
    read = read_hazards(bursts(rng, events), events, 3, DT_S)
    first, second = np.random.default_rng(5), np.random.default_rng(5)
    for a, b in zip(read.sample(first), read.sample(second), strict=True):
        np.testing.assert_array_equal(a, b)
    skipped = np.random.default_rng(5)
    skipped.random(4)
    assert first.random() == skipped.random()


# ---- the paper's reading of time


@READINGS
def test_first_crossing_counts_whole_steps_from_the_onset(read: Read) -> None:
    events = schedule([0.83, 3.2, 6.4], [1.97, 2.5, 2.5])
    actions = np.zeros((events.n_steps, 3), dtype=np.float32)
    actions[9] = 0.9  # before the first trial's onset step, which is 10
    actions[14, 2] = 0.5
    actions[15, 0] = 0.9
    actions[40, 1] = 0.7
    distributions = read(actions, events, 3, DT_S)
    crossing = distributions.first_crossing_s()
    np.testing.assert_allclose(crossing, [4 * DT_S, 0.0, np.nan])
    np.testing.assert_allclose(distributions.first_crossing_s(0.8), [5 * DT_S, np.nan, np.nan])


# ---- what is returned, what is refused


@READINGS
def test_results_are_read_only_and_the_outputs_untouched(
    read: Read, rng: np.random.Generator
) -> None:
    events = schedule([0.83], [1.97])
    actions = bursts(rng, events)
    before = actions.copy()
    distributions = read(actions, events, 3, DT_S)
    np.testing.assert_array_equal(actions, before)
    for field in dataclasses.fields(distributions):
        value = getattr(distributions, field.name)
        if isinstance(value, np.ndarray):
            with pytest.raises(ValueError, match="read-only"):
                value[...] = 0.0


def test_choice_is_the_most_probable_option(rng: np.random.Generator) -> None:
    events = schedule([0.8, 3.2], [1.6, 1.6])
    actions = constant([0.01, 0.03, 0.02], events)
    actions[40:] = [0.05, 0.03, 0.02]
    assert read_hazards(actions, events, 3, DT_S).choice.tolist() == [1, 0]


@READINGS
def test_outputs_shorter_than_the_schedule_are_refused(read: Read) -> None:
    events = schedule([0.8, 3.2], [1.6, 1.6])
    with pytest.raises(DataError, match="cover 59 steps, but the last response window of events "):
        read(np.zeros((59, 3)), events, 3, DT_S)
    read(np.zeros((60, 3)), events, 3, DT_S)


@READINGS
@pytest.mark.parametrize(
    ("value", "found"),
    [(np.nan, "NaN were found"), (1.5, "values from 0 to 1.5"), (-2.0, "values from -2 to 0")],
)
def test_outputs_outside_zero_to_one_are_refused(read: Read, value: float, found: str) -> None:
    events = schedule([0.8], [1.6])
    actions = constant([0.0, 0.0, 0.0], events)
    actions[3, 1] = value
    with pytest.raises(DataError, match=rf"in \[0, 1\] \(after the sigmoid\), but {found}"):
        read(actions, events, 3, DT_S)


@READINGS
@pytest.mark.parametrize("shape", [(100,), (100, 2), (0, 3)])
def test_outputs_of_another_shape_are_refused(read: Read, shape: tuple[int, ...]) -> None:
    events = schedule([0.8], [1.6])
    with pytest.raises(DataError, match=r"shape \(steps, at least 3 actions\), but have shape"):
        read(np.zeros(shape), events, 3, DT_S)


def test_quantiles_and_thresholds_outside_their_range_are_refused() -> None:
    events = schedule([0.8], [1.6])
    read = read_hazards(constant(0.1, events), events, 1, DT_S)
    for q in (-0.1, 1.1, float("nan")):
        with pytest.raises(UsageError, match=r"quantile must lie in \[0, 1\]"):
            read.quantile(q)
    for threshold in (0.0, 1.1):
        with pytest.raises(UsageError, match=r"threshold must lie in \(0, 1\]"):
            read.first_crossing_s(threshold)


def test_lapses_take_from_every_answer_alike_and_leave_its_time(rng: np.random.Generator) -> None:
    events = schedule([0.8, 4.0], [1.6, 2.0])
    read = read_hazards(bursts(rng, events), events, 3, DT_S)
    lapsing = read.with_lapses(0.2)
    np.testing.assert_allclose(lapsing.option_probability, 0.8 * read.option_probability)
    np.testing.assert_allclose(lapsing.p_no_response, 0.2 + 0.8 * read.p_no_response)
    np.testing.assert_allclose(lapsing.p_response_by(1.0), 0.8 * read.p_response_by(1.0))
    for q in (0.05, 0.5, 0.95):
        np.testing.assert_allclose(lapsing.quantile(q), read.quantile(q))
    np.testing.assert_array_equal(lapsing.response_time_s, read.response_time_s)
    np.testing.assert_allclose(lapsing.log_density(1.0), read.log_density(1.0))
    assert not lapsing.p_no_response.flags.writeable


@pytest.mark.parametrize("n_options", [2, 3])
def test_slips_press_any_option_at_the_same_times(rng: np.random.Generator, n_options: int) -> None:
    events = schedule([0.8, 4.0], [1.6, 2.0])
    read = read_hazards(bursts(rng, events), events, n_options, DT_S)
    slipping = read.with_slips(0.25)
    pressed = read.option_probability.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        slipping.option_probability,
        0.75 * read.option_probability + 0.25 * pressed / n_options,
        rtol=1e-12,
    )
    np.testing.assert_array_equal(slipping.p_no_response, read.p_no_response)
    np.testing.assert_array_equal(slipping.response_time_s, read.response_time_s)
    np.testing.assert_allclose(slipping.step_mass.sum(axis=2), read.step_mass.sum(axis=2))
    np.testing.assert_allclose(slipping.step_mass.sum(axis=1), slipping.option_probability)
    np.testing.assert_allclose(slipping.quantile(0.3), read.quantile(0.3), rtol=1e-12)
