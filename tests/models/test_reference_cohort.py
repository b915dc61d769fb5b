"""Reference people: read with site and covariates, or refused with who it is and why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dtb_models.reference_cohort import read_reference
from dtb_runtime.cohort_listing import list_cohort
from dtb_runtime.edges import fisher_z
from dtb_runtime.errors import CohortError, UsageError
from dtb_runtime.parcellation import Parcellation
from dtb_runtime.reading import Reading

LABELS = ("R0", "R1", "R2", "R3")
FOUR = Parcellation("four", LABELS, ("",) * 4, ("",) * 4, np.full((4, 3), np.nan), {})


@pytest.fixture
def cohort(tmp_path: Path, rng: np.random.Generator) -> Path:
    """Sixteen people of two sites, in a folder with participants.tsv."""
    lines = ["participant_id\tage\tsex\tScanner\tiq"]
    for number in range(16):
        series = rng.standard_normal((100, 4))
        np.save(tmp_path / f"sub-{number:02d}_connectome.npy", np.corrcoef(series.T))
        lines.append(
            f"sub-{number:02d}\t{20 + number}\t{'FM'[number // 2 % 2]}\tS{number % 2}\t100"
        )
    (tmp_path / "participants.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def read(cohort: Path, **options: object) -> object:
    listing = list_cohort(cohort, columns=("scanner", "iq"))
    settings = {"site_column": "scanner"} | options
    reading = settings.pop("reading", Reading())
    return read_reference(listing, FOUR, reading, **settings)  # type: ignore[arg-type]


def test_edges_sites_and_covariates_are_those_of_the_files(cohort: Path) -> None:
    told: list[int] = []
    listing = list_cohort(cohort, columns=("scanner",))
    assert listing.own_columns == ("age", "sex", "Scanner")
    found = read_reference(listing, FOUR, Reading(), site_column="scanner", on_read=told.append)
    assert told == list(range(1, 17))
    assert found.sites == ("S0", "S1") * 8
    np.testing.assert_array_equal(found.covariates[:, 0], 20 + np.arange(16))
    np.testing.assert_array_equal(found.covariates[:5, 1], [0, 0, 1, 1, 0])
    for number in (0, 15):
        matrix = np.load(cohort / f"sub-{number:02d}_connectome.npy")
        expected = fisher_z(matrix[np.triu_indices(4, k=1)])
        np.testing.assert_allclose(found.edges[number], expected, rtol=0, atol=1e-6)
    bare = read_reference(listing, FOUR, Reading(), site_column="scanner", covariates=())
    assert bare.covariates.shape == (16, 0)


def test_of_a_folder_other_columns_are_taken_only_if_asked_for(cohort: Path) -> None:
    assert list_cohort(cohort).own_columns == ("age", "sex")
    assert list_cohort(cohort, columns=("IQ", "age", "none")).own_columns == ("age", "sex", "iq")


def test_whoever_cannot_be_used_ends_it_and_is_named(cohort: Path) -> None:
    with pytest.raises(
        CohortError, match=r"has no column 'education' beside .*; it has 'age', 'sex', 'Scanner'"
    ):
        read(cohort, covariates=("education",))
    with pytest.raises(CohortError, match=r"has no column 'site' .* with --site-column"):
        read(cohort, site_column="site")
    (cohort / "sub-03_connectome.npy").write_bytes(b"broken")
    with pytest.raises(
        CohortError, match=r"^sub-03: sub-03_connectome.npy .* Leave the person out"
    ):
        read(cohort)
    (cohort / "sub-03_connectome.npy").unlink()
    with pytest.raises(CohortError, match="at least 8 reference people, but 'S1' has 7"):
        read(cohort)


def test_several_sessions_of_one_person_are_refused(cohort: Path) -> None:
    matrix = np.load(cohort / "sub-00_connectome.npy")
    np.save(cohort / "sub-00_ses-2_connectome.npy", matrix)
    with pytest.raises(CohortError, match=r"sub-00 is in .* with several sessions"):
        read(cohort)


def test_imputed_regions_are_no_reference(cohort: Path) -> None:
    with pytest.raises(UsageError, match="Leave out --impute"):
        read(cohort, reading=Reading(impute=True))
