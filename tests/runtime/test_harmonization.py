"""Site effects on disk and taken off one person: exact, alone, strict."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.cohort_entry import CohortEntry
from dtb_runtime.connectome import Connectome
from dtb_runtime.errors import CohortError, ConnectomeError, OutputError
from dtb_runtime.harmonization import Harmonization, labels_digest
from dtb_runtime.harmonization_file import (
    HarmonizationFile,
    content_of,
    harmonization_of,
    read_harmonization,
    write_harmonization,
)
from dtb_runtime.reading import Reading
from dtb_runtime.scoring import CohortScorer, ScoreSettings

from .made_site_effects import AGE, N_EDGES, SEX, made_site_effects

OWN = {"site": "B", "age": "50", "sex": "F"}
People = Callable[[int], NDArray[np.float64]]


@pytest.fixture
def fitted(tiny: Bundle, rng: np.random.Generator) -> Harmonization:
    return made_site_effects(tiny, rng, AGE, SEX)


@pytest.fixture
def connectome(tiny: Bundle, people: People) -> Connectome:
    assert tiny.manifest.parcellation is not None
    return Connectome.from_matrix(people(1), labels=tiny.manifest.parcellation.labels, source="x")


def test_an_edge_is_harmonized_as_combat_says(
    fitted: Harmonization, connectome: Connectome
) -> None:
    found = fitted.applied(connectome, OWN)
    of = fitted.effects
    upper = np.triu_indices(12, k=1)
    for e, (i, j) in enumerate(zip(*upper, strict=True)):
        z = np.arctanh(float(connectome.correlations[i, j]))
        expected = of.mean[e] + 1.0 * of.slopes[0, e] - 1.0 * of.slopes[1, e]
        rest = ((z - expected) / of.sd[e] - of.shift[1, e]) / of.spread[1, e]
        r = np.tanh(expected + of.sd[e] * rest)
        assert found.correlations[i, j] == pytest.approx(r, abs=1e-7)
    assert found.correlations.dtype == np.float32
    assert not found.correlations.flags.writeable
    np.testing.assert_array_equal(found.correlations, found.correlations.T)
    np.testing.assert_array_equal(np.diagonal(found.correlations), 1.0)
    assert found.notes[-1].startswith("Harmonized with sites.npz from site 'B'")
    assert "no longer be positive semi-definite" in found.notes[-1]
    assert found.taken_for.endswith(", harmonized")
    # A checked connectome again: nothing else needs to know that it was harmonized.
    again = Connectome.from_matrix(found.correlations)
    np.testing.assert_array_equal(again.correlations, found.correlations)


def test_strong_effects_leave_correlations_in_their_range(
    fitted: Harmonization, connectome: Connectome
) -> None:
    far = replace(fitted.effects, shift=np.full((2, N_EDGES), 300.0), sd=np.ones(N_EDGES))
    found = replace(fitted, effects=far).applied(connectome, OWN).correlations
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 1.0


def test_regions_without_data_stay_so(fitted: Harmonization, connectome: Connectome) -> None:
    gaps = connectome.correlations.copy()
    gaps[3], gaps[:, 3] = np.nan, np.nan
    gaps[3, 3] = 1.0
    holed = replace(connectome, correlations=gaps, may_impute=True)
    found = fitted.applied(holed, OWN)
    assert found.missing == (3,)
    whole = np.delete(np.delete(fitted.applied(connectome, OWN).correlations, 3, 0), 3, 1)
    np.testing.assert_array_equal(np.delete(np.delete(found.correlations, 3, 0), 3, 1), whole)


def test_ages_beyond_the_reference_people_are_noted(
    fitted: Harmonization, connectome: Connectome
) -> None:
    notes = fitted.applied(connectome, OWN | {"age": "80"}).notes
    assert "age 80 is outside the reference people's 20 to 60" in notes[-1]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        (
            {"site": ""},
            "The site is not known. sites.npz knows 'A', 'B': fill in the column 'site'",
        ),
        ({"site": "C"}, "Site 'C' is not one of those .* at least 8 people of it"),
        ({"site": "b"}, "Site 'b' is not one of those"),
        ({"age": "n/a"}, "age is not known"),
        ({"sex": "other"}, "sex is 'other', expected female or male"),
    ],
)
def test_whoever_lacks_something_is_told_what(
    fitted: Harmonization, connectome: Connectome, changes: dict[str, str], match: str
) -> None:
    with pytest.raises(CohortError, match=match):
        fitted.applied(connectome, OWN | changes)


def test_other_regions_are_refused(fitted: Harmonization, connectome: Connectome) -> None:
    assert connectome.labels is not None
    turned = replace(connectome, labels=connectome.labels[::-1])
    with pytest.raises(ConnectomeError, match=r"does not have the regions of sites\.npz"):
        fitted.applied(turned, OWN)
    with pytest.raises(CohortError, match=r"fitted on 12 regions .* bundle has 3 of 'other'"):
        fitted.check_regions(("a", "b", "c"), "other")
    with pytest.raises(CohortError, match=r"cohort\.tsv has no column 'age' and no 'sex', but to"):
        fitted.check_columns(("Site", "iq"), "cohort.tsv")
    fitted.check_columns(("Site", "AGE", "sex"), "cohort.tsv")


def test_a_file_gives_back_the_same_and_the_same_bytes(
    fitted: Harmonization, tmp_path: Path
) -> None:
    path = write_harmonization(tmp_path / "sites.npz", fitted)
    found = read_harmonization(path)
    for name in ("mean", "slopes", "sd", "shift", "spread"):
        array = getattr(found.effects, name)
        np.testing.assert_array_equal(array, getattr(fitted.effects, name))
        assert not array.flags.writeable
    for name in ("source", "site_column", "sites", "covariates", "parcellation", "n_regions"):
        assert getattr(found, name) == getattr(fitted, name)
    assert content_of(found) == path.read_bytes() == content_of(fitted)
    with np.load(path, allow_pickle=False) as arrays:  # plain arrays, one of them text
        assert json.loads(str(arrays["about"]))["version"] == 1
    with pytest.raises(OutputError, match="exists already"):
        write_harmonization(path, fitted)
    with pytest.raises(CohortError, match="There is no file at"):
        read_harmonization(tmp_path / "none.npz")
    (tmp_path / "other.npz").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(CohortError, match="does not hold site effects, or is damaged"):
        read_harmonization(tmp_path / "other.npz")


def changed(content: bytes, arrays: dict[str, Any], about: dict[str, Any] | None = None) -> bytes:
    with np.load(io.BytesIO(content)) as found:
        values = dict(found)
    document = json.loads(str(values["about"])) | (about or {})
    values["about"] = np.array(json.dumps(document))
    buffer = io.BytesIO()
    kept = {k: v for k, v in (values | arrays).items() if v is not None}
    np.savez(buffer, **kept)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("arrays", "about", "match"),
    [
        ({"about": None}, {}, "does not hold site effects. Give a file of dtb-run harmonize"),
        ({"about": np.zeros(3)}, {}, "does not hold site effects"),
        ({}, {"format": "other"}, "does not hold site effects"),
        ({}, {"version": 2}, "has version 2 of this format"),
        ({}, {"more": 1}, "unknown key 'more'"),
        ({}, {"sites": [{"name": "A", "n_people": 20}]}, "at least two sites"),
        ({}, {"sites": [{"name": "A", "n_people": 20}] * 2}, "nothing twice"),
        ({}, {"n_regions": 13}, r"mean is float64 \(66,\), expected float64 \(78,\)"),
        ({}, {"site_column": "age"}, "nothing twice"),
        ({"sd": None}, {}, r"an array is missing or unknown \(sd\)"),
        ({"extra": np.zeros(2)}, {}, r"missing or unknown \(extra\)"),
        ({"sd": np.zeros(N_EDGES)}, {}, "sd must be above 0 everywhere"),
        ({"spread": np.full((2, N_EDGES), -1.0)}, {}, "spread must be above 0"),
        ({"mean": np.full(N_EDGES, np.nan)}, {}, "mean is not finite"),
        ({"mean": np.zeros(N_EDGES, np.float32)}, {}, "mean is float32"),
        ({"mean": np.array([None] * N_EDGES)}, {}, "Python objects"),
    ],
)
def test_whatever_else_a_file_holds_is_refused(
    fitted: Harmonization, arrays: dict[str, Any], about: dict[str, Any], match: str
) -> None:
    with pytest.raises(CohortError, match=match):
        harmonization_of(changed(content_of(fitted), arrays, about), "sites.npz")


def test_a_covariate_must_be_consistent(fitted: Harmonization) -> None:
    wrong = replace(fitted.covariates[0], scale=-1.0)
    content = content_of(replace(fitted, covariates=(wrong, fitted.covariates[1])))
    with pytest.raises(CohortError, match="covariates 1: expected lowest <= center"):
        harmonization_of(content, "sites.npz")


@pytest.fixture
def entries(people: People, tmp_path: Path) -> list[CohortEntry]:
    """Twenty people of two sites; one of a third, one without age."""
    found = []
    for number in range(20):
        path = tmp_path / f"sub-{number:02d}.npy"
        np.save(path, people(number))
        own = {"site": "AB"[number % 2], "age": str(20 + number), "sex": "FM"[number % 2]}
        if number == 5:
            own["site"] = "C"
        if number == 6:
            own["age"] = ""
        found.append(CohortEntry(f"sub-{number:02d}", None, path, own))
    return found


def test_scoring_takes_the_site_off_each_person_alone(
    tiny: Bundle,
    fitted: Harmonization,
    entries: list[CohortEntry],
    people: People,
    tmp_path: Path,
) -> None:
    file = HarmonizationFile.of(write_harmonization(tmp_path / "sites.npz", fitted))
    settings = ScoreSettings(harmonization=file)
    assert settings.to_json()["harmonization"] == file.digest
    together = list(tiny.score(entries, settings))
    assert [person.status for person in together].count("failed") == 2
    assert "Site 'C' is not one of those" in together[5].error
    assert "age is not known" in together[6].error
    for entry, person in zip(entries, together, strict=True):
        assert next(iter(tiny.score([entry], settings))) == person
    assert list(tiny.score(entries[::-1], settings))[::-1] == together
    plain = next(iter(tiny.score(entries[:1])))
    assert plain.values["reaction_time"] != together[0].values["reaction_time"]
    assert any("Harmonized with sites.npz from site 'A'" in note for note in together[0].notes)
    # The same as making the twin of the harmonized matrix.
    assert tiny.manifest.parcellation is not None
    labels = tiny.manifest.parcellation.labels
    own = Connectome.from_matrix(people(0), labels=labels)
    np.save(tmp_path / "sub-again.npy", fitted.applied(own, entries[0].own).correlations)
    again = next(iter(tiny.score([tmp_path / "sub-again.npy"])))
    assert again.values == together[0].values


def test_a_model_that_changes_or_does_not_fit_is_refused_at_once(
    tiny: Bundle, fitted: Harmonization, tmp_path: Path
) -> None:
    path = write_harmonization(tmp_path / "sites.npz", fitted)
    file = HarmonizationFile.of(path)
    write_harmonization(path, replace(fitted, site_column="scanner"), force=True)
    with pytest.raises(CohortError, match="another file than when this began"):
        CohortScorer(tiny, ScoreSettings(harmonization=file))
    other = replace(fitted, labels_digest=labels_digest(("a",)))
    write_harmonization(path, other, force=True)
    with pytest.raises(CohortError, match="Fit it with this bundle"):
        CohortScorer(tiny, ScoreSettings(harmonization=HarmonizationFile.of(path)))


def test_regions_without_data_are_filled_in_after_the_site_is_off(
    tiny: Bundle,
    fitted: Harmonization,
    people: People,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dtb_runtime.imputation.MAX_SHARE", 0.1)  # of 12 regions at least one
    gaps = people(1)
    gaps[3], gaps[:, 3] = np.nan, np.nan
    path = tmp_path / "sub-01.npy"
    np.save(path, gaps)
    file = HarmonizationFile.of(write_harmonization(tmp_path / "sites.npz", fitted))
    settings = ScoreSettings(reading=Reading(impute=True), harmonization=file)
    (row,) = tiny.score([CohortEntry("sub-01", None, path, OWN)], settings)
    assert row.is_ok, row.error
    assert row.values["n_imputed"] == 1
    harmonized, filled = (
        next(i for i, note in enumerate(row.notes) if word in note)
        for word in ("Harmonized with", "taken from the cohort's mean")
    )
    assert harmonized < filled
