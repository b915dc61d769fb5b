"""Twins: made once, immutable; what they learn from trials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.connectome import Connectome
from dtb_runtime.errors import UsageError
from dtb_runtime.observed_run import ObservedRun
from dtb_runtime.participants import checked_participant_id
from dtb_runtime.trials_seen import read_observed
from dtb_runtime.twin import Twin


@pytest.fixture
def twin(tiny: Bundle, correlations: NDArray[np.float64]) -> Twin:
    return tiny.personalize(correlations, participant_id="01")


def test_a_twin_is_the_latent_and_its_weights(
    twin: Twin, tiny: Bundle, correlations: NDArray[np.float64]
) -> None:
    assert twin.participant_id == "sub-01"
    assert twin.latent is not None
    assert twin.latent.shape == (3,)
    assert twin.weights.shape == (287,)
    np.testing.assert_array_equal(tiny.decode(twin.latent), twin.weights)
    assert twin.connectome_digest == Connectome.from_matrix(correlations).digest()
    assert repr(twin) == "Twin('sub-01', bundle='tiny')"


def test_a_twin_cannot_be_changed(twin: Twin) -> None:
    assert twin.latent is not None
    with pytest.raises(FrozenInstanceError):
        twin.participant_id = "sub-02"  # type: ignore[misc]
    for array in (twin.latent, twin.weights):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


def test_different_people_give_different_twins(
    tiny: Bundle, people: Callable[[int], NDArray[np.float64]]
) -> None:
    one, two = (tiny.personalize(people(i)) for i in range(2))
    assert not np.allclose(one.weights, two.weights, atol=1e-3)


def test_warnings_are_the_bundles_then_the_connectomes(
    tiny: Bundle, correlations: NDArray[np.float64]
) -> None:
    np.fill_diagonal(correlations, 0.0)
    twin = tiny.personalize(correlations)
    assert twin.warnings[: len(tiny.warnings)] == tiny.warnings
    assert any("diagonal" in warning for warning in twin.warnings)


def test_a_connectome_outside_the_cohort_is_a_warning(tiny: Bundle) -> None:
    nobodys = np.eye(12) * 1.01 - 0.01  # slightly against one another
    nobodys[0, 1] = nobodys[1, 0] = 0.01
    twin = tiny.personalize(nobodys)
    assert twin.strangeness is not None
    assert twin.strangeness.is_outside
    assert twin.warnings[-1] == twin.strangeness.sentence


@pytest.mark.parametrize("label", ["01", "sub-01", "sub-NDARINVAB12", None])
def test_participant_labels(label: str | None) -> None:
    expected = None if label is None else f"sub-{label.removeprefix('sub-')}"
    assert checked_participant_id(label) == expected


@pytest.mark.parametrize("label", ["", "sub-", "a b", "../01", "sub-01/02", "é", "01\n", "a_b"])
def test_a_label_that_could_be_a_path_is_refused(
    tiny: Bundle, correlations: NDArray[np.float64], label: str
) -> None:
    with pytest.raises(UsageError, match="must be letters and digits, as in sub-01"):
        tiny.personalize(correlations, participant_id=label)


LATENT = np.array([0.8, 0.2, 0.6])


@pytest.fixture
def runs(observe: Callable[..., ObservedRun]) -> list[ObservedRun]:
    return [observe("hammer", LATENT, n_trials=8), observe("stroop", LATENT, n_trials=5)]


@pytest.fixture
def files(runs: list[ObservedRun], tmp_path: Path) -> list[Path]:
    """The same trials as files: hammer in two blocks, then stroop."""
    hammer, stroop = (write_events(run, tmp_path / f"{run.task}.tsv") for run in runs)
    header, *rows = hammer.read_text().splitlines(keepends=True)
    blocks = [tmp_path / f"block{i}.tsv" for i in (1, 2)]
    blocks[0].write_text("".join([header, *rows[:3]]))
    blocks[1].write_text("".join([header, *rows[3:]]))
    return [*blocks, stroop]


def write_events(run: ObservedRun, path: Path) -> Path:
    events, responses = run.events, run.responses
    columns = {
        "onset": [repr(float(onset)) for onset in events.onset_s],
        "duration": [repr(float(duration)) for duration in events.duration_s],
        "trial_type": events.trial_type,
        **events.columns,
        "response_time": [repr(float(time)) for time in responses.response_time_s],
        "accuracy_binarized": ["1" if right else "0" for right in responses.correct],
    }
    rows = zip(*columns.values(), strict=True)
    path.write_text("".join("\t".join(row) + "\n" for row in (columns, *rows)))
    return path


def assert_same(one: Twin, other: Twin) -> None:
    """Every number, to the last digit."""
    for name in ("latent", "weights"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in ("prior", "posterior"):
        a, b = getattr(one, name), getattr(other, name)
        assert a.mean.tobytes() == b.mean.tobytes()
        assert a.covariance.tobytes() == b.covariance.tobytes()
    np.testing.assert_array_equal(one.draws(5), other.draws(5))


def test_a_new_twin_has_its_prior_as_posterior(twin: Twin, tiny: Bundle) -> None:
    assert twin.prior is not None
    assert tiny.norms.prior is not None
    assert twin.posterior is twin.prior
    np.testing.assert_array_equal(twin.prior.mean.astype(np.float32), twin.latent)
    np.testing.assert_array_equal(twin.prior.covariance, tiny.norms.prior.connectome_covariance)
    assert twin.observed == ()
    assert twin.calibration is None
    np.testing.assert_array_equal(twin.draws(1), [twin.latent])
    np.testing.assert_array_equal(twin.draws(6, seed=2), twin.prior.draws(6, seed=2))


def test_a_twin_without_a_connectome_is_the_population(tiny: Bundle) -> None:
    twin = tiny.population_twin(participant_id="09")
    assert tiny.norms.prior is not None
    assert twin.prior is tiny.norms.prior.population
    assert twin.latent is not None
    np.testing.assert_allclose(twin.latent, tiny.norms.prior.population.mean, rtol=1e-6)
    np.testing.assert_array_equal(twin.weights, tiny.decode(twin.latent))
    assert (twin.participant_id, twin.strangeness, twin.connectome_digest) == ("sub-09", None, None)
    assert "No connectome was given" in twin.warnings[-1]
    with pytest.raises(UsageError, match="letters and digits"):
        tiny.population_twin(participant_id="../x")


def test_a_twin_says_what_it_was_made_from(
    twin: Twin, tiny: Bundle, runs: list[ObservedRun]
) -> None:
    (of_edges,) = tiny.personalize_edges(np.zeros((1, 66), np.float32))
    made = (twin, of_edges, tiny.population_twin())
    assert [one.origin for one in made] == ["connectome", "edges", "population"]
    assert [one.calibrate(runs[1]).origin for one in made] == [one.origin for one in made]


def test_calibrating_makes_a_new_twin(twin: Twin, runs: list[ObservedRun], tiny: Bundle) -> None:
    learned = twin.calibrate(runs)
    assert learned.posterior is not None
    assert learned.calibration is not None
    assert learned.calibration.posterior is learned.posterior
    assert learned.calibration.n_trials == sum(run.n_observed for run in runs)
    np.testing.assert_array_equal(learned.latent, learned.posterior.mean.astype(np.float32))
    assert learned.latent is not None
    np.testing.assert_array_equal(learned.weights, tiny.decode(learned.latent))
    assert learned.prior is twin.prior
    assert (learned.strangeness, learned.connectome_digest) == (
        twin.strangeness,
        twin.connectome_digest,
    )
    assert learned.warnings == twin.warnings
    assert twin.observed == ()
    assert not np.array_equal(learned.latent, twin.latent)


def test_no_trials_change_no_number(twin: Twin, runs: list[ObservedRun]) -> None:
    same = twin.calibrate([])
    assert_same(same, twin)
    assert same.calibration is not None
    assert same.calibration.n_trials == 0
    learned = twin.calibrate(runs[1])
    assert learned.calibrate([], seed=5) is learned


def test_none_is_no_trials(twin: Twin, runs: list[ObservedRun]) -> None:
    """It is what `until` gives where nothing began before the time."""
    assert runs[0].until(0.0) is None
    for trials in (None, [runs[0], None]):
        with pytest.raises(UsageError, match=r"found None, which ObservedRun\.until gives where"):
            twin.calibrate(trials)  # type: ignore[arg-type]


def test_block_by_block_is_all_at_once(
    twin: Twin, tiny: Bundle, runs: list[ObservedRun], files: list[Path], tmp_path: Path
) -> None:
    """From memory or files, in any order, saved in between or not: the same to the last digit."""
    at_once = twin.calibrate(runs)
    assert_same(twin.calibrate(files), at_once)
    assert_same(twin.calibrate(files[0]).calibrate(files[1:]), at_once)
    assert_same(twin.calibrate(str(files[2])).calibrate(files[1]).calibrate(files[0]), at_once)
    twin.calibrate(files[1]).save(tmp_path / "twin.npz")
    loaded = tiny.load_twin(tmp_path / "twin.npz")
    assert_same(loaded.calibrate([files[2], files[0]]), at_once)


def test_trials_count_once(twin: Twin, files: list[Path]) -> None:
    with pytest.raises(UsageError, match=r"learned from the trials of .*block1\.tsv already"):
        twin.calibrate(files[0]).calibrate(files[0])


def test_a_twin_without_latent_cannot_learn(
    tiny_plain: Bundle, correlations: NDArray[np.float64], runs: list[ObservedRun]
) -> None:
    twin = tiny_plain.personalize(correlations)
    assert twin.prior is twin.posterior is None
    with pytest.raises(UsageError, match=r"'tiny_plain' has no latent\. So it cannot learn"):
        twin.calibrate(runs)
    with pytest.raises(UsageError, match=r"'tiny_plain' has no latent\. So there is nothing"):
        twin.draws(3)
    with pytest.raises(UsageError, match=r"'tiny_plain' has no latent\. So it needs a connec"):
        tiny_plain.population_twin()


def test_several_latents_are_decoded_at_once(tiny: Bundle, twin: Twin) -> None:
    draws = twin.draws(7)
    weights = tiny.decode(draws)
    assert weights.shape == (7, 287)
    for own, latent in zip(weights, draws, strict=True):
        np.testing.assert_allclose(own, tiny.decode(latent), rtol=1e-5, atol=1e-6)


def test_files_of_somebody_else_are_refused(twin: Twin, files: list[Path], tmp_path: Path) -> None:
    other = files[-1].rename(tmp_path / "sub-02_task-stroop_events.tsv")
    with pytest.raises(UsageError, match=r"is of sub-02, but this is the twin of sub-01\. Give"):
        twin.calibrate(other)
    assert twin.calibrate(read_observed(other)).calibration is not None
    assert replace(twin, participant_id=None).calibrate(str(other)).calibration is not None


@pytest.mark.parametrize("trials", [5, [5], [["a.tsv"]]])
def test_what_cannot_be_trials_is_refused(twin: Twin, trials: Any) -> None:
    with pytest.raises(UsageError, match=r"Expected events files or what read_observed makes of"):
        twin.calibrate(trials)
