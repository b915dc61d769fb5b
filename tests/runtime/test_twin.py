"""Twins: made once, immutable, saved and loaded to the same numbers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.connectome import Connectome
from dtb_runtime.errors import OutputError, TwinError, UsageError
from dtb_runtime.twin import Twin, checked_participant_id


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
    twin = tiny.personalize(np.eye(12))
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


def test_a_saved_twin_gives_the_same_numbers(twin: Twin, tiny: Bundle, saved: Path) -> None:
    loaded = tiny.load_twin(saved)
    np.testing.assert_array_equal(loaded.weights, twin.weights)
    np.testing.assert_array_equal(loaded.latent, twin.latent)
    assert loaded.participant_id == twin.participant_id
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


def test_saving_twice_gives_the_same_bytes_and_needs_force(twin: Twin, saved: Path) -> None:
    before = saved.read_bytes()
    with pytest.raises(OutputError, match=r"twin\.npz exists already.*--force"):
        twin.save(saved)
    twin.save(saved, force=True)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["twin.npz"]


def test_no_object_is_pickled(saved: Path) -> None:
    with np.load(saved, allow_pickle=False) as arrays:
        assert {name: arrays[name].dtype.kind for name in arrays} == {"about": "U", "latent": "f"}


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
    monkeypatch.setattr("dtb_runtime.twin.MAX_FILE_BYTES", 1000)
    with pytest.raises(TwinError, match="larger than any twin"):
        tiny.load_twin(saved)
    np.savez_compressed(saved, about=np.zeros(100_000, dtype=np.uint8))
    assert saved.stat().st_size < 1000
    with pytest.raises(TwinError, match=r"unpacks to 0\.1 MB; at most 0\.0 MB is read"):
        tiny.load_twin(saved)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("twin_version", 2, "is a twin of version 2, this dtb-runtime reads version 1"),
        ("bundle_digest", None, "bundle_digest: expected one line of text, found null"),
        ("participant_id", 7, "participant_id: expected one line of text, found 7"),
        ("notes", "text", "notes: expected a list of texts"),
        ("strangeness", {}, "strangeness: the key 'distance' is missing"),
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
