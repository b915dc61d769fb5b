"""A twin on disk: the same numbers again, and nothing hostile gets through."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.errors import OutputError, TwinError, UsageError
from dtb_runtime.observed_run import ObservedRun
from dtb_runtime.twin import Twin


@pytest.fixture
def twin(tiny: Bundle, correlations: NDArray[np.float64]) -> Twin:
    return tiny.personalize(correlations, participant_id="01")


@pytest.fixture
def saved(twin: Twin, tmp_path: Path) -> Path:
    twin.save(tmp_path / "twin.npz")
    return tmp_path / "twin.npz"


def about(saved: Path) -> dict[str, Any]:
    with np.load(saved) as arrays:
        values: dict[str, Any] = json.loads(str(arrays["about"]))
    return values


def rewrite(saved: Path, about: dict[str, Any] | str, **arrays: NDArray[Any]) -> None:
    text = about if isinstance(about, str) else json.dumps(about)
    np.savez(saved, about=np.array(text), **arrays)  # type: ignore[arg-type]


def test_a_saved_twin_gives_the_same_numbers(twin: Twin, tiny: Bundle, saved: Path) -> None:
    loaded = tiny.load_twin(saved)
    np.testing.assert_array_equal(loaded.weights, twin.weights)
    np.testing.assert_array_equal(loaded.latent, twin.latent)
    assert loaded.participant_id == twin.participant_id
    assert loaded.origin == twin.origin == "connectome"
    assert loaded.strangeness == twin.strangeness
    assert loaded.connectome_digest == twin.connectome_digest
    assert loaded.warnings == twin.warnings
    np.testing.assert_array_equal(loaded.forecast("stroop").bold, twin.forecast("stroop").bold)


def test_a_twin_without_latent_is_saved_as_weights(
    tiny_plain: Bundle, correlations: NDArray[np.float64], tmp_path: Path
) -> None:
    np.fill_diagonal(correlations, np.nan)
    twin = tiny_plain.personalize(correlations)
    twin.save(tmp_path / "twin.npz")
    loaded = tiny_plain.load_twin(str(tmp_path / "twin.npz"))
    assert loaded.latent is None
    assert loaded.participant_id is None
    assert loaded.notes == twin.notes != ()
    np.testing.assert_array_equal(loaded.weights, twin.weights)


def test_a_saved_twin_says_what_it_was_made_from(
    tiny: Bundle, learned: Twin, learned_file: Path, tmp_path: Path
) -> None:
    assert tiny.load_twin(learned_file).origin == learned.origin == "population"
    (twin,) = tiny.personalize_edges(np.zeros((1, 66), np.float32))
    twin.save(tmp_path / "edges.npz")
    assert tiny.load_twin(tmp_path / "edges.npz").origin == "edges"
    document = about(learned_file)
    # Words may change, what the twin rests on must not: the file holds no sentence about it.
    assert (document["origin"], document["notes"]) == ("population", [])


def test_saving_twice_gives_the_same_bytes_and_needs_force(twin: Twin, saved: Path) -> None:
    before = saved.read_bytes()
    with pytest.raises(OutputError, match=r"twin\.npz exists already.*--force"):
        twin.save(saved)
    twin.save(saved, force=True)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["twin.npz"]


def test_no_object_is_pickled(saved: Path) -> None:
    with np.load(saved, allow_pickle=False) as arrays:
        assert {name: arrays[name].dtype.kind for name in arrays} == {
            "about": "U",
            "latent": "f",
            "prior_mean": "f",
            "prior_covariance": "f",
        }


def test_another_bundles_twin_is_refused(saved: Path, tiny_plain: Bundle, tiny: Bundle) -> None:
    message = f"made with bundle 'tiny' \\(digest {tiny.digest[:12]}\\), but this is bundle"
    with pytest.raises(TwinError, match=message):
        tiny_plain.load_twin(saved)


def test_what_is_no_twin_is_refused(tiny: Bundle, tmp_path: Path) -> None:
    with pytest.raises(TwinError, match="There is no file at"):
        tiny.load_twin(tmp_path / "none.npz")
    with pytest.raises(TwinError, match="is a folder, not a file"):
        tiny.load_twin(tmp_path)
    path = tmp_path / "t.npz"
    for data in (b"", b"text", b"PK\x03\x04"):
        path.write_bytes(data)
        with pytest.raises(TwinError, match="is not a saved twin, or it is damaged"):
            tiny.load_twin(path)
    np.savez(path, connectome=np.eye(3))
    with pytest.raises(TwinError, match=r"is not a saved twin\. Give a file that Twin.save wrote"):
        tiny.load_twin(path)
    np.savez(path, about=np.array([{"a": 1}], dtype=object))
    with pytest.raises(TwinError, match=r"t\.npz\[about\] holds Python objects"):
        tiny.load_twin(path)
    rewrite(path, "no JSON")
    with pytest.raises(TwinError, match="not valid JSON"):
        tiny.load_twin(path)


def test_a_file_too_large_for_a_twin_is_not_read(
    tiny: Bundle, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtb_runtime.twin_file.MAX_FILE_BYTES", 1000)
    with pytest.raises(TwinError, match="larger than any twin"):
        tiny.load_twin(saved)
    np.savez_compressed(saved, about=np.zeros(100_000, dtype=np.uint8))
    assert saved.stat().st_size < 1000
    with pytest.raises(TwinError, match=r"unpacks to 0\.1 MB; at most 0\.0 MB is read"):
        tiny.load_twin(saved)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("twin_version", 1, "is a twin of version 1, this dtb-runtime reads version 4"),
        ("observed", {}, "observed: expected a list of at most 256 runs"),
        ("observed", [{}] * 257, "observed: expected a list of at most 256 runs"),
        ("observed", [7], "observed run 0: expected a JSON object, found 7"),
        ("calibration", 7, "calibration: expected a JSON object, found 7"),
        ("bundle_digest", None, "bundle_digest: expected one line of text, found null"),
        ("participant_id", 7, "participant_id: expected one line of text, found 7"),
        ("participant_id", "../../evil", r"is of the participant '\.\./\.\./evil', expected sub-"),
        ("participant_id", "sub-../x", r"is of the participant 'sub-\.\./x', expected sub-"),
        ("notes", "text", "notes: expected a list of texts"),
        ("strangeness", {}, "strangeness: the key 'distance' is missing"),
        ("origin", "brain", "origin: expected 'connectome' or 'edges' or 'population', found 'br"),
        ("origin", "edges", "made from bare edges, but holds the digest of a connectome"),
        ("connectome_digest", None, "made from a connectome, but holds no digest of one"),
        ("invented", 1, "unknown key 'invented'"),
    ],
)
def test_what_is_said_about_a_twin_is_read_strictly(
    tiny: Bundle, twin: Twin, saved: Path, key: str, value: object, message: str
) -> None:
    assert twin.latent is not None
    rewrite(saved, {**about(saved), key: value}, latent=twin.latent)
    with pytest.raises(TwinError, match=message):
        tiny.load_twin(saved)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "must hold 3 numbers named 'latent'"),
        ({"weights": np.zeros(287, np.float32)}, "must hold 3 numbers named 'latent'"),
        ({"latent": np.zeros(4, np.float32)}, "must hold 3 numbers named 'latent'"),
        ({"latent": np.zeros((3, 1), np.float32)}, "must hold 3 numbers named 'latent'"),
        ({"latent": np.zeros(3)}, "must be finite float32"),
        ({"latent": np.array([0, 0, np.inf], np.float32)}, "must be finite float32"),
    ],
)
def test_another_latent_is_refused(
    tiny: Bundle, saved: Path, arrays: dict[str, NDArray[Any]], message: str
) -> None:
    rewrite(saved, about(saved), **arrays)
    with pytest.raises(TwinError, match=message):
        tiny.load_twin(saved)


def test_any_flipped_byte_is_noticed_or_changes_nothing(
    tiny: Bundle, twin: Twin, saved: Path
) -> None:
    """Only the zip's CRC protects a twin; some bytes of a zip file mean nothing."""
    data = saved.read_bytes()
    refused = 0
    for at in range(0, len(data), 3):
        saved.write_bytes(bytes((*data[:at], data[at] ^ 0x10, *data[at + 1 :])))
        try:
            loaded = tiny.load_twin(saved)
        except TwinError:
            refused += 1
        else:
            np.testing.assert_array_equal(loaded.weights, twin.weights)
            assert loaded.participant_id == twin.participant_id
    assert refused > 0.8 * len(data) / 3


def test_a_twin_needs_no_file_name_ending(tiny: Bundle, twin: Twin, tmp_path: Path) -> None:
    twin.save(tmp_path / "sub-01.twin")
    assert io.BytesIO((tmp_path / "sub-01.twin").read_bytes()).read(2) == b"PK"
    assert tiny.load_twin(tmp_path / "sub-01.twin").participant_id == "sub-01"


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no /dev/zero, which never ends")
def test_a_device_is_no_saved_twin(tiny: Bundle) -> None:
    with pytest.raises(TwinError, match="/dev/zero is not a regular file"):
        tiny.load_twin("/dev/zero")


@pytest.fixture
def run(observe: Callable[..., ObservedRun]) -> ObservedRun:
    return observe("stroop", [0.3, 0.1, -0.2], n_trials=4)


@pytest.fixture
def learned(tiny: Bundle, run: ObservedRun) -> Twin:
    return tiny.population_twin(participant_id="07").calibrate(run)


@pytest.fixture
def learned_file(learned: Twin, tmp_path: Path) -> Path:
    learned.save(tmp_path / "learned.npz")
    return tmp_path / "learned.npz"


def test_what_was_learned_is_saved(tiny: Bundle, learned: Twin, learned_file: Path) -> None:
    loaded = tiny.load_twin(learned_file)
    assert loaded.calibration is not None
    assert learned.calibration is not None
    assert loaded.calibration.to_json() == learned.calibration.to_json()
    for one, other in ((loaded.prior, learned.prior), (loaded.posterior, learned.posterior)):
        assert one is not None
        assert other is not None
        np.testing.assert_array_equal(one.mean, other.mean)
        np.testing.assert_array_equal(one.covariance, other.covariance)
    np.testing.assert_array_equal(loaded.weights, learned.weights)
    np.testing.assert_array_equal(loaded.draws(8), learned.draws(8))
    assert loaded.warnings == learned.warnings
    assert repr(loaded.observed) == repr(learned.observed)
    loaded.save(learned_file, force=True)
    again = tiny.load_twin(learned_file)
    assert again.calibration is not None
    assert again.calibration.to_json() == learned.calibration.to_json()


def test_a_loaded_twin_learns_on(
    tiny: Bundle, learned: Twin, learned_file: Path, observe: Callable[..., ObservedRun]
) -> None:
    more = observe("hammer", [0.3, 0.1, -0.2], n_trials=4)
    straight, by_file = learned.calibrate(more), tiny.load_twin(learned_file).calibrate(more)
    np.testing.assert_array_equal(straight.latent, by_file.latent)
    assert straight.posterior is not None
    assert by_file.posterior is not None
    np.testing.assert_array_equal(straight.posterior.covariance, by_file.posterior.covariance)


def test_names_of_sources_are_stored_as_one_line(
    tiny: Bundle, run: ObservedRun, tmp_path: Path
) -> None:
    events = dataclasses.replace(run.events, source="a\nb\x1b.tsv")
    tiny.population_twin().calibrate(ObservedRun(events, run.responses)).save(tmp_path / "t.npz")
    (loaded,) = tiny.load_twin(tmp_path / "t.npz").observed
    assert loaded.events.source == "a\\nb\\x1b.tsv"


def swap(name: str, change: Callable[[NDArray[Any]], object]) -> Callable[[dict[str, Any]], None]:
    """Replace an array by what a function makes of it."""

    def apply(arrays: dict[str, Any]) -> None:
        arrays[name] = change(arrays[name])

    return apply


def with_value(at: Any, value: Any) -> Callable[[NDArray[Any]], NDArray[Any]]:
    def change(array: NDArray[Any]) -> NDArray[Any]:
        changed = array.copy()
        changed[at] = value
        return changed

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("prior_mean"), r"float64 numbers of shape \(3,\) named 'prior_mean'"),
        (lambda a: a.pop("posterior_covariance"), r"of shape \(3, 3\) named 'posterior_cov"),
        (swap("prior_mean", np.float32), "named 'prior_mean'"),
        (swap("posterior_mean", lambda a: a[:2]), "named 'posterior_mean'"),
        (swap("posterior_mean", with_value(0, np.nan)), "posterior cannot be used.*not finite"),
        (swap("posterior_covariance", np.negative), "posterior cannot be used.*not positive def"),
        (swap("prior_covariance", with_value((0, 1), 9.0)), "prior cannot be used.*not symmetric"),
        (swap("latent", with_value(0, 2.5)), "the latent is not the mean of its distribution"),
        (swap("posterior_mean", with_value(0, 2.5)), "the latent is not the mean"),
        (lambda a: a.update(invented=np.zeros(1)), "holds an unknown array 'invented'"),
        (lambda a: a.update(observed_1_onset=np.zeros(1)), "unknown array 'observed_1_onset'"),
        (lambda a: a.pop("observed_0_onset"), "run 0: 'onset' is missing or of another kind"),
        (lambda a: a.pop("observed_0_stimulus_text"), "'stimulus_text' is missing"),
        (swap("observed_0_correct", lambda a: a.astype(float)), "'correct' is missing or of"),
        (swap("observed_0_onset", lambda a: a[:, None]), "'onset' is missing or of another"),
        (swap("observed_0_onset", lambda a: a[:-1]), "columns of .* differ in length"),
        (swap("observed_0_usable", lambda a: a[:-1]), "there are responses to"),
        (swap("observed_0_onset", with_value(0, np.inf)), "onset is 'inf', expected a number"),
        (swap("observed_0_onset", with_value(0, -1.0)), "onset is -1 s, expected 0 or later"),
        (swap("observed_0_duration", with_value(0, 1e9)), "ends after 3 hours"),
        (swap("observed_0_response_time", with_value(0, np.inf)), "response times must be seconds"),
        (swap("observed_0_response_time", with_value(0, -3.0)), "response times must be seconds"),
        (
            swap("observed_0_stimulus_text", lambda a: np.full(len(a), "purple")),
            "stimulus_text is 'purple', expected one of",
        ),
        (swap("observed_0_usable", lambda a: ~a), "says that it learned from . trials with"),
    ],
)
def test_a_damaged_memory_is_refused(
    tiny: Bundle, learned_file: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    with np.load(learned_file) as archive:
        arrays = dict(archive)
    change(arrays)
    np.savez(learned_file, **arrays)
    with pytest.raises(TwinError, match=message):
        tiny.load_twin(learned_file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.update(calibration=None), "has trials that it did not learn from"),
        (lambda a: a.update(observed=[]), "says that it learned from"),
        (lambda a: a["calibration"].update(steps=-1), "steps: expected a whole number"),
        (lambda a: a["calibration"].update(converged=1), "converged: expected true or false"),
        (lambda a: a["calibration"].update(extra=1), "unknown key 'extra'"),
        (lambda a: a["calibration"]["slip_rates"].update(stroop=1), r"must lie in \[0, 1\), found"),
        (lambda a: a["calibration"]["lapse_rates"].clear(), "must have a rate of lapses and of sl"),
        (lambda a: a["calibration"]["slip_rates"].update(hammer=0.1), "and for no other task"),
        (lambda a: a["calibration"].update(effective_draws=-3), "must be 0 or more, found -3"),
        (lambda a: a["calibration"].pop("n_trials"), "the key 'n_trials' is missing"),
        (
            lambda a: a["calibration"].update(log_likelihood="x"),
            "log_likelihood: expected a number",
        ),
        (lambda a: a["observed"][0].update(task="rest"), "task: expected 'hammer' or 'stroop'"),
        (lambda a: a["observed"][0].update(task="hammer"), "'stimLeft' is missing"),
        (lambda a: a["observed"][0].update(source="a\nb"), "source: expected one line of text"),
        (lambda a: a["observed"][0].update(extra=1), "unknown key 'extra'"),
    ],
)
def test_a_memory_that_contradicts_itself_is_refused(
    tiny: Bundle, learned_file: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    document = about(learned_file)
    change(document)
    with np.load(learned_file) as archive:
        arrays = {name: archive[name] for name in archive if name != "about"}
    rewrite(learned_file, document, **arrays)
    with pytest.raises(TwinError, match=message):
        tiny.load_twin(learned_file)


def test_the_same_trials_twice_in_a_file_are_refused(tiny: Bundle, learned_file: Path) -> None:
    document = about(learned_file)
    document["observed"] *= 2
    with np.load(learned_file) as archive:
        arrays = {name: archive[name] for name in archive if name != "about"}
    twice = {name.replace("_0_", "_1_"): array for name, array in arrays.items() if "_0_" in name}
    rewrite(learned_file, document, **arrays, **twice)
    with pytest.raises(TwinError, match="hold the same trials of the task 'stroop'"):
        tiny.load_twin(learned_file)


def test_a_memory_of_objects_is_not_read(tiny: Bundle, learned_file: Path) -> None:
    with np.load(learned_file) as archive:
        arrays = dict(archive)
    arrays["observed_0_trial_type"] = np.array([{"a": 1}] * 3, dtype=object)
    np.savez(learned_file, **arrays)
    with pytest.raises(TwinError, match="holds Python objects"):
        tiny.load_twin(learned_file)


def test_a_twin_of_a_bundle_without_priors_has_none(
    tiny: Bundle,
    tiny_copy: Path,
    replace_file: Callable[[Path, str, bytes], None],
    correlations: NDArray[np.float64],
    run: ObservedRun,
    tmp_path: Path,
) -> None:
    """As bundles of earlier versions are."""
    with np.load(tiny_copy / "norms.npz") as archive:
        arrays = {n: archive[n] for n in archive if not n.startswith(("population", "connectome"))}
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    replace_file(tiny_copy, "norms.npz", buffer.getvalue())
    older = load_bundle(tiny_copy, device="cpu")
    twin = older.personalize(correlations)
    assert twin.prior is twin.posterior is None
    np.testing.assert_array_equal(twin.latent, tiny.personalize(correlations).latent)
    twin.save(tmp_path / "twin.npz")
    assert older.load_twin(tmp_path / "twin.npz").posterior is None
    sentence = "does not say how sure it is of a latent; export it again with a newer version"
    with pytest.raises(UsageError, match=f"{sentence}.*cannot learn from trials"):
        twin.calibrate(run)
    with pytest.raises(UsageError, match=f"{sentence}.*nothing to draw from"):
        twin.draws(2)
    with pytest.raises(UsageError, match=f"{sentence}.*needs a connectome"):
        older.population_twin()
