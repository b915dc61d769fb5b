"""One real person in every format: the same forecasts, in whatever order and under whatever names.

Files are written by the field's own libraries. Without the real series a drawn one stands in.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel
import numpy as np
import pandas
import pytest
from nibabel import cifti2
from nilearn.connectome import ConnectivityMeasure
from numpy.typing import NDArray
from scipy.io import savemat
from sklearn.covariance import EmpiricalCovariance

from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.connectome_file import read_connectome
from dtb_runtime.errors import ConnectomeError
from dtb_runtime.reading import Reading

Floats = NDArray[np.float64]
Labels = list[str]
N_REGIONS = 360
GRID = (9, 8, 5)  # one voxel a region


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle("glasser360", device="cpu")


@pytest.fixture(scope="module")
def labels(bundle: Bundle) -> Labels:
    parcellation = bundle.manifest.parcellation
    assert parcellation is not None
    return list(parcellation.labels)


@pytest.fixture(scope="module")
def series() -> Floats:
    """A real person's resting series (time by regions), as float64."""
    shared = Path(os.environ.get("DTB_SHARED", Path(__file__).parents[3] / "shared"))
    files = sorted((shared / "data" / "hcp_rest").glob("sub-*/*_timeseries.npy"))
    if files:
        return np.load(files[0]).astype(np.float64)
    rng = np.random.default_rng(0)
    return np.asarray(rng.normal(size=(400, 12)) @ rng.normal(size=(12, N_REGIONS)))


@pytest.fixture(scope="module")
def matrix(series: Floats) -> Floats:
    """Its correlations, by nilearn."""
    measure = ConnectivityMeasure(
        cov_estimator=EmpiricalCovariance(), kind="correlation", standardize="zscore_sample"
    )
    return np.asarray(measure.fit_transform([series])[0], dtype=np.float64)


@pytest.fixture(scope="module")
def expected(bundle: Bundle, series: Floats) -> dict[str, float]:
    return indicators(bundle, np.corrcoef(series.T))


def indicators(bundle: Bundle, connectome: object) -> dict[str, float]:
    """Every indicator of both tasks."""
    twin = bundle.personalize(connectome)  # type: ignore[arg-type]
    forecasts = twin.forecast_tasks(draws=1)
    return {name: value for each in forecasts for name, value in each.indicators.items()}


# ---- matrices


def as_npz(path: Path, matrix: Floats, labels: Labels) -> Path:
    np.savez(path / "c.npz", connectome=matrix, labels=np.array(labels))
    return path / "c.npz"


def as_pandas_csv(path: Path, matrix: Floats, labels: Labels) -> Path:
    pandas.DataFrame(matrix, labels, labels).to_csv(path / "c.csv")
    return path / "c.csv"


def as_txt(path: Path, matrix: Floats, labels: Labels) -> Path:
    np.savetxt(path / "c.txt", matrix, header=" ".join(labels))
    return path / "c.txt"


def as_giga_connectome(path: Path, matrix: Floats, labels: Labels) -> Path:
    """Columns of names, no index, the strategy in desc."""
    file = path / (
        "sub-1_task-rest_seg-Glasser_meas-PearsonCorrelation_desc-denoiseSimple_relmat.tsv"
    )
    pandas.DataFrame(matrix, columns=labels).to_csv(file, sep="\t", index=False)
    return file


def as_xcp_d(path: Path, matrix: Floats, labels: Labels) -> Path:
    """An index column called Node."""
    file = path / "sub-1_task-rest_space-fsLR_seg-Glasser_stat-pearsoncorrelation_relmat.tsv"
    pandas.DataFrame(matrix, labels, labels).to_csv(
        file, sep="\t", na_rep="n/a", index_label="Node"
    )
    return file


def as_parquet(path: Path, matrix: Floats, labels: Labels) -> Path:
    pandas.DataFrame(matrix, labels, labels).to_parquet(path / "c.parquet")
    return path / "c.parquet"


def as_matlab(path: Path, matrix: Floats, labels: Labels) -> Path:
    cells = np.array(labels, dtype=object)
    savemat(path / "c.mat", {"connectome": matrix, "labels": cells}, do_compression=True)
    return path / "c.mat"


def as_conn(path: Path, matrix: Floats, labels: Labels) -> Path:
    """Fisher z with a NaN diagonal, names beside it."""
    z = np.arctanh(np.where(np.eye(len(matrix)) == 1, 0.0, matrix))
    np.fill_diagonal(z, np.nan)
    names = np.array(labels, dtype=object)[None]
    file = path / "resultsROI_Subject001_Condition001.mat"
    savemat(file, {"Z": z, "names": names, "names2": names, "xyz": np.zeros((len(z), 3))})
    return file


def as_hdf5(path: Path, matrix: Floats, labels: Labels) -> Path:
    with h5py.File(path / "c.h5", "w") as file:
        file.create_dataset("connectome", data=matrix, compression="gzip")
        file.create_dataset("labels", data=labels, dtype=h5py.string_dtype())
    return path / "c.h5"


def as_matlab_v73(path: Path, matrix: Floats, labels: Labels) -> Path:
    """What MATLAB -v7.3 writes, imitated: HDF5 after 512 bytes, transposed, with its classes."""
    file = path / "c73.mat"
    with h5py.File(file, "w", userblock_size=512) as hdf5:
        data = hdf5.create_dataset("connectome", data=matrix.T)
        data.attrs["MATLAB_class"] = np.bytes_("double")
        letters = np.array([[ord(c) for c in name.ljust(16)] for name in labels], dtype="<u2").T
        text = hdf5.create_dataset("labels", data=letters)
        text.attrs["MATLAB_class"] = np.bytes_("char")
        text.attrs["MATLAB_int_decode"] = 2
    head = b"MATLAB 7.3 MAT-file, Platform: imitated".ljust(124) + b"\x00\x02IM"
    with file.open("r+b") as raw:
        raw.write(head)
    return file


def parcels(labels: Labels) -> cifti2.ParcelsAxis:
    """Parcels of one vertex each, half on either side."""
    half, n = len(labels) // 2, len(labels)
    sides = ["CIFTI_STRUCTURE_CORTEX_LEFT"] * half + ["CIFTI_STRUCTURE_CORTEX_RIGHT"] * (n - half)
    vertices = [{side: np.array([i % half])} for i, side in enumerate(sides)]
    empty = np.zeros((0, 3), dtype=int)
    sizes = dict.fromkeys(sides, n)
    return cifti2.ParcelsAxis(labels, [empty] * n, vertices, np.eye(4), (9, 9, 9), sizes)


def as_pconn(path: Path, matrix: Floats, labels: Labels) -> Path:
    axis = parcels(labels)
    image = cifti2.Cifti2Image(matrix.astype(np.float32), (axis, axis))
    image.update_headers()
    file = path / "sub-1_seg-Glasser_stat-pearsoncorrelation_boldmap.pconn.nii"
    nibabel.save(image, file)
    return file


MATRICES = [
    as_npz,
    as_pandas_csv,
    as_txt,
    as_giga_connectome,
    as_xcp_d,
    as_parquet,
    as_matlab,
    as_conn,
    as_hdf5,
    as_matlab_v73,
    as_pconn,
]


# ---- time series


def as_series_npz(path: Path, series: Floats, labels: Labels) -> Path:
    np.savez(path / "t.npz", timeseries=series, labels=np.array(labels))
    return path / "t.npz"


def as_bids_series(path: Path, series: Floats, labels: Labels) -> Path:
    file = path / "sub-1_task-rest_seg-Glasser_stat-mean_timeseries.tsv"
    pandas.DataFrame(series, columns=labels).to_csv(file, sep="\t", index=False)
    return file


def as_ptseries(path: Path, series: Floats, labels: Labels) -> Path:
    axes = (cifti2.SeriesAxis(0, 0.72, len(series)), parcels(labels))
    image = cifti2.Cifti2Image(series.astype(np.float32), axes)
    image.update_headers()
    nibabel.save(image, path / "t.ptseries.nii")
    return path / "t.ptseries.nii"


SERIES = [as_series_npz, as_bids_series, as_ptseries]


def as_dense_series(path: Path, series: Floats, labels: Labels) -> tuple[Path, Reading]:
    """One grayordinate a region, and a .dlabel.nii beside it."""
    half = len(labels) // 2
    sides = [
        cifti2.BrainModelAxis.from_surface(np.arange(half), 4 * half, f"CORTEX_{side}")
        for side in ("LEFT", "RIGHT")
    ]
    brain = sides[0] + sides[1]
    dense = cifti2.Cifti2Image(
        series.astype(np.float32), (cifti2.SeriesAxis(0, 0.72, len(series)), brain)
    )
    dense.update_headers()
    nibabel.save(dense, path / "t.dtseries.nii")
    table = {i + 1: (name, (0, 0, 0, 1)) for i, name in enumerate(labels)}
    axis = cifti2.LabelAxis(["glasser"], [{0: ("???", (0, 0, 0, 0)), **table}])
    keys = np.arange(1, len(labels) + 1, dtype=np.float32)[None]
    atlas = cifti2.Cifti2Image(keys, (axis, brain))
    atlas.update_headers()
    nibabel.save(atlas, path / "atlas.dlabel.nii")
    return path / "t.dtseries.nii", Reading(atlas=str(path / "atlas.dlabel.nii"))


def as_scan(path: Path, series: Floats, labels: Labels) -> tuple[Path, Reading]:
    """One voxel a region, a label image and the table of its names."""
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    bold = series.T.reshape(*GRID, len(series)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(bold, affine), path / "sub-1_task-rest_bold.nii.gz")
    keys = np.arange(1, len(labels) + 1, dtype=np.int16).reshape(GRID)
    nibabel.save(nibabel.Nifti1Image(keys, affine), path / "atlas_dseg.nii.gz")
    table = pandas.DataFrame({"index": np.arange(1, len(labels) + 1), "name": labels})
    table.to_csv(path / "atlas_dseg.tsv", sep="\t", index=False)
    reading = Reading(
        atlas=str(path / "atlas_dseg.nii.gz"), atlas_labels=str(path / "atlas_dseg.tsv")
    )
    return path / "sub-1_task-rest_bold.nii.gz", reading


SCANS = [as_dense_series, as_scan]


# ---- the same person


def shuffled(labels: Labels) -> NDArray[np.intp]:
    return np.random.default_rng(1).permutation(len(labels))


@pytest.mark.parametrize("order", ["of the bundle", "permuted"])
@pytest.mark.parametrize("write", MATRICES)
def test_matrices_give_the_same_forecasts(
    write: Callable[[Path, Floats, Labels], Path],
    order: str,
    bundle: Bundle,
    matrix: Floats,
    labels: Labels,
    expected: dict[str, float],
    tmp_path: Path,
) -> None:
    at = shuffled(labels) if order == "permuted" else np.arange(len(labels))
    path = write(tmp_path, matrix[np.ix_(at, at)], [labels[i] for i in at])
    found = read_connectome(path)
    assert found.taken_for.startswith("Fisher z" if write is as_conn else "correlations r")
    assert indicators(bundle, found) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("order", ["of the bundle", "permuted"])
@pytest.mark.parametrize("write", SERIES)
def test_series_give_the_same_forecasts(
    write: Callable[[Path, Floats, Labels], Path],
    order: str,
    bundle: Bundle,
    series: Floats,
    labels: Labels,
    expected: dict[str, float],
    tmp_path: Path,
) -> None:
    at = shuffled(labels) if order == "permuted" else np.arange(len(labels))
    found = read_connectome(write(tmp_path, series[:, at], [labels[i] for i in at]))
    assert found.taken_for == f"time series of {len(series)} points, correlated (Pearson)"
    assert indicators(bundle, found) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("order", ["of the bundle", "permuted"])
@pytest.mark.parametrize("write", SCANS)
def test_scans_with_an_atlas_give_the_same_forecasts(
    write: Callable[[Path, Floats, Labels], tuple[Path, Reading]],
    order: str,
    bundle: Bundle,
    series: Floats,
    labels: Labels,
    expected: dict[str, float],
    tmp_path: Path,
) -> None:
    at = shuffled(labels) if order == "permuted" else np.arange(len(labels))
    path, reading = write(tmp_path, series[:, at], [labels[i] for i in at])
    found = read_connectome(path, reading)
    assert found.n_timepoints == len(series)
    assert indicators(bundle, found) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("write", [*MATRICES, *SERIES])
def test_names_in_capitals_and_with_a_prefix_fit(
    write: Callable[[Path, Floats, Labels], Path],
    bundle: Bundle,
    matrix: Floats,
    series: Floats,
    labels: Labels,
    expected: dict[str, float],
    tmp_path: Path,
) -> None:
    at = shuffled(labels)
    values = series[:, at] if write in SERIES else matrix[np.ix_(at, at)]
    path = write(tmp_path, values, [f"HCP_{labels[i]}_ROI".upper() for i in at])
    found = bundle.aligned(read_connectome(path))
    assert "360 regions" in found.notes[-1]
    assert indicators(bundle, found) == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("write", [*MATRICES, *SERIES])
def test_names_that_fit_nothing_are_refused(
    write: Callable[[Path, Floats, Labels], Path],
    bundle: Bundle,
    matrix: Floats,
    series: Floats,
    labels: Labels,
    tmp_path: Path,
) -> None:
    """Whatever the order is: it is not known."""
    values = series if write in SERIES else matrix
    path = write(tmp_path, values, [f"parcel{i:03d}x" for i in range(len(labels))])
    with pytest.raises(ConnectomeError, match="other region labels than parcellation 'glasser360'"):
        bundle.personalize(read_connectome(path))


def test_a_label_image_without_a_table_has_no_names(
    bundle: Bundle, series: Floats, labels: Labels, tmp_path: Path
) -> None:
    path, reading = as_scan(tmp_path, series, labels)
    with pytest.raises(ConnectomeError, match=r"other region labels|--atlas-labels"):
        bundle.personalize(read_connectome(path, Reading(atlas=reading.atlas)))
