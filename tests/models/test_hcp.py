"""People with rest and activations: made folders, and the ten real ones where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dtb_models.group_halves import group_reliability
from dtb_models.hcp import HcpCohort, without_global_signal
from dtb_models.identification import identify
from dtb_models.map_statistics import group_t, map_r, mean_of_others
from dtb_models.region_pairs import homotopic_pairs
from dtb_runtime.errors import CohortError, UsageError
from dtb_runtime.parcellation import Parcellation, read_regions_table


def write_person(folder: Path, name: str, rng: np.random.Generator, n_regions: int = 26) -> None:
    person = folder / f"sub-{name}"
    person.mkdir(parents=True)
    shared = 0.5 * rng.standard_normal((80, 1))
    series = (shared + rng.standard_normal((80, n_regions))).astype(np.float32)
    np.save(person / f"sub-{name}_task-rest_atlas-X_timeseries.npy", series)
    betas = rng.standard_normal((n_regions, 2))
    rows = "".join(f"{i}\t{face:.6f}\t{shape:.6f}\n" for i, (face, shape) in enumerate(betas))
    table = person / f"sub-{name}_task-emotion_atlas-X_betas.tsv"
    table.write_text(f"region_index\tfaces\tshapes\n{rows}", encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator) -> Path:
    for name in ("03", "01", "02"):
        write_person(tmp_path / "hcp", name, rng)
    return tmp_path / "hcp"


def test_people_have_a_connectome_and_a_map(folder: Path, small_parcellation: Parcellation) -> None:
    cohort = HcpCohort(folder, small_parcellation)
    ids = [person.participant_id for person in cohort.participants]
    assert ids == ["sub-01", "sub-02", "sub-03"]
    assert (cohort.kind, cohort.warning, dict(cohort.skipped)) == ("real", None, {})
    assert cohort.parcellation is small_parcellation
    assert cohort.description.startswith("3 real people of the Human Connectome Project with rest")
    person = cohort.participants[1]
    assert person.runs == ()
    raw = np.load(folder / "sub-02" / "sub-02_task-rest_atlas-X_timeseries.npy")
    assert person.connectome is not None
    assert person.connectome.labels == small_parcellation.labels
    x = np.column_stack([np.ones(80), raw.mean(1, dtype=np.float64)])
    cleaned = raw - x @ np.linalg.lstsq(x, raw, rcond=None)[0]
    np.testing.assert_allclose(person.connectome.correlations, np.corrcoef(cleaned.T), atol=1e-5)
    table = np.loadtxt(folder / "sub-02" / "sub-02_task-emotion_atlas-X_betas.tsv", skiprows=1)
    np.testing.assert_array_equal(cohort.activations("sub-02"), table[:, 1:])
    np.testing.assert_allclose(cohort.face_shape_maps()[1], table[:, 1] - table[:, 2])


def test_the_global_signal_can_be_kept(folder: Path, small_parcellation: Parcellation) -> None:
    cohort = HcpCohort(folder, small_parcellation, remove_global_signal=False)
    raw = np.load(folder / "sub-01" / "sub-01_task-rest_atlas-X_timeseries.npy")
    np.testing.assert_array_equal(cohort.rest_runs("sub-01")["rest"], raw)
    assert cohort.participants[0].connectome is not None
    np.testing.assert_allclose(
        cohort.participants[0].connectome.correlations, np.corrcoef(raw.T), atol=1e-5
    )
    assert "global signal kept" in cohort.description


def test_nothing_is_left_of_the_global_signal(rng: np.random.Generator) -> None:
    series = rng.standard_normal((50, 8)) + 100 + rng.standard_normal((50, 1))
    signal = (series - series.mean(0)).mean(1)
    found = without_global_signal(series)
    assert found.dtype == np.float32
    np.testing.assert_allclose(signal @ found, 0, atol=1e-4)
    np.testing.assert_allclose(found.mean(1), 0, atol=1e-5)
    flat = np.ones((5, 2))
    np.testing.assert_array_equal(without_global_signal(flat), 0)


def test_people_who_cannot_be_used_are_left_out_and_named(
    folder: Path, small_parcellation: Parcellation, rng: np.random.Generator
) -> None:
    (folder / "sub-02" / "sub-02_task-emotion_atlas-X_betas.tsv").unlink()
    np.save(folder / "sub-03" / "sub-03_task-rest_atlas-Y_timeseries.npy", np.ones((3, 26)))
    write_person(folder, "04", rng, 20)
    write_person(folder, "05", rng)
    table = folder / "sub-05" / "sub-05_task-emotion_atlas-X_betas.tsv"
    lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([lines[0], *lines[:0:-1]]), encoding="utf-8")
    cohort = HcpCohort(folder, small_parcellation)
    assert [person.participant_id for person in cohort.participants] == ["sub-01"]
    assert list(cohort.skipped) == ["sub-02", "sub-03", "sub-04", "sub-05"]
    reasons = list(cohort.skipped.values())
    assert "Expected one file sub-02_task-emotion_*_betas.tsv" in reasons[0]
    assert "found 2" in reasons[1]
    assert "must hold 26 regions in its columns, found 80 x 20" in reasons[2]
    assert "with region_index 0 to 25, found 25, 24, 23" in reasons[3]
    assert "4 left out" in cohort.description


def test_folders_of_something_else_are_refused(
    tmp_path: Path, folder: Path, small_parcellation: Parcellation
) -> None:
    with pytest.raises(CohortError, match=r"resting scans and activations at .*, found nothing"):
        HcpCohort(tmp_path / "nowhere")
    with pytest.raises(CohortError, match=r"participants' folders sub-<id> in .*, found none"):
        HcpCohort(tmp_path / "hcp" / "sub-01")
    with pytest.raises(CohortError, match=r"None of the 3 .* sub-01: .* must hold 360 regions"):
        HcpCohort(folder)
    with pytest.raises(UsageError, match=r"no participant 'sub-9'; its ids look like 'sub-01'"):
        HcpCohort(folder, small_parcellation).activations("sub-9")


def test_the_ten_real_people(shared_data: Path) -> None:
    regions = read_regions_table(shared_data / "parcellations" / "glasser360_cabnp.csv")
    cohort = HcpCohort(shared_data / "hcp_rest", regions)
    assert len(cohort.participants) == 10
    assert dict(cohort.skipped) == {}
    pairs = homotopic_pairs(regions)
    for person in cohort.participants:
        assert person.connectome is not None
        r = person.connectome.correlations
        upper = r[np.triu_indices(360, 1)]
        assert abs(upper.mean()) < 0.02
        assert r[pairs[:, 0], pairs[:, 1]].mean() > 0.2
    maps = cohort.face_shape_maps()
    assert maps.shape == (10, 360)
    visual = [i for i, name in enumerate(regions.network) if name.startswith("VIS")]
    assert group_t(maps)[visual].mean() > 2
    own = map_r(mean_of_others(maps), maps)
    assert own.min() > 0.4
    assert own.mean() == pytest.approx(0.577, abs=0.001)
    assert group_reliability(maps) > 0.85
    # A map made of the others' tells nobody apart: it holds everything but the person.
    assert identify(mean_of_others(maps), maps).top_rate < 0.5
