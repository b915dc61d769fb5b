"""NIfTI scans: averages as nilearn and numpy have them, and one sentence for every damaged file."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime import nibabel_images
from dtb_runtime.connectome import Connectome
from dtb_runtime.errors import ConnectomeError
from dtb_runtime.nifti_files import read_nifti, resampled
from dtb_runtime.raw_array import RawArray
from dtb_runtime.reading import Reading

SHAPE, N_FRAMES = (6, 7, 5), 40
AFFINE = np.array([[-3.0, 0, 0, 9], [0, 3, 0, -8], [0, 0, 4, -10], [0, 0, 0, 1]])
IDS = (2, 5, 11)
NAMES = ("L_V1", "R_V1", "M1 left")
HEADER = nibabel.Nifti1Header.template_dtype


@dataclass
class Study:
    """A scan and its label image, as arrays and as files."""

    folder: Path
    data: NDArray[np.float64]
    labels: NDArray[np.int16]

    def save(self, name: str, data: NDArray[Any], affine: Any = AFFINE, **how: Any) -> Path:
        """Save an image with nibabel."""
        kind = how.get("kind", nibabel.Nifti1Image)
        path = self.folder / name
        nibabel.save(kind(data, affine), path)
        return path

    def save_labels(self, name: str = "atlas.nii.gz") -> Path:
        """Save the label image."""
        return self.save(name, self.labels)

    def save_table(self, rows: dict[int, str] | None = None) -> Path:
        """Save the names of regions as BIDS does."""
        rows = dict(zip(IDS, NAMES, strict=True)) if rows is None else rows
        path = self.folder / "dseg.tsv"
        lines = ["index\tname", *(f"{region}\t{name}" for region, name in rows.items())]
        path.write_text("\n".join(lines) + "\n")
        return path

    def read(self, scan: Path | str, **options: Any) -> RawArray:
        """Read a scan with the label image."""
        atlas = self.folder / "atlas.nii.gz"
        if not atlas.exists():
            self.save_labels()
        return read_nifti(self.folder / scan, Reading(**{"atlas": str(atlas), **options}))

    def means(self, ids: tuple[int, ...] = IDS) -> NDArray[np.float64]:
        """Averages by numpy alone."""
        return np.array([self.data[self.labels == region].mean(axis=0) for region in ids]).T


@pytest.fixture
def study(tmp_path: Path, rng: np.random.Generator) -> Study:
    """Noise around 1000 in three regions of many voxels; the background is noise as well."""
    labels = rng.choice(np.array([0, *IDS], np.int16), SHAPE)
    return Study(tmp_path, 1000 + 20 * rng.standard_normal((*SHAPE, N_FRAMES)), labels)


def nilearn_means(scan: Path, atlas: Path) -> NDArray[np.float64]:
    """The same averages by nilearn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nilearn.maskers import NiftiLabelsMasker

        masker = NiftiLabelsMasker(str(atlas), resampling_target=None, standardize=None)
        means: NDArray[np.float64] = masker.fit_transform(str(scan))
    return means


# ---- the same numbers as nilearn and numpy


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "SCAN.NII.GZ"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_regions_are_averaged_as_nilearn_does(study: Study, name: str, kind: type) -> None:
    scan = study.save(name, study.data, kind=kind)
    raw = study.read(scan)
    np.testing.assert_allclose(raw.values, study.means(), rtol=1e-12)
    np.testing.assert_allclose(raw.values, nilearn_means(scan, study.save_labels()), rtol=1e-12)
    assert (raw.labels, raw.row_labels, raw.kind) == (("2", "5", "11"), None, "timeseries")
    assert raw.mean_fd_mm is None
    assert raw.notes == (
        f"The series of {name} were used as they are: no confounds were regressed out (--denoise).",
    )


@pytest.mark.parametrize("dtype", ["<f4", ">f4", ">f8", "<i2", ">i2", "u1", "<u8"])
@pytest.mark.parametrize("slope", [None, 0.25])
def test_types_byte_orders_and_scaling_are_nibabels(
    study: Study, dtype: str, slope: float | None
) -> None:
    header = nibabel.Nifti1Header(endianness=">" if dtype[0] == ">" else "<")
    image = nibabel.Nifti1Image((study.data / 8).astype(dtype), AFFINE, header, dtype=dtype)
    image.header.set_slope_inter(slope, 3.0 if slope else None)
    nibabel.save(image, study.folder / "scan.nii.gz")
    study.data = np.asarray(nibabel.load(study.folder / "scan.nii.gz").dataobj, np.float64)
    np.testing.assert_allclose(study.read("scan.nii.gz").values, study.means(), rtol=1e-12)


def test_a_connectome_follows(study: Study) -> None:
    study.save("scan.nii", study.data)
    raw = study.read("scan.nii", atlas_labels=str(study.save_table()))
    found = Connectome.from_timeseries(raw.values, labels=raw.labels)
    np.testing.assert_allclose(found.correlations, np.corrcoef(study.means().T), atol=1e-6)
    assert found.labels == NAMES


def test_a_label_image_may_be_of_floats_or_have_a_fourth_dimension_of_one(study: Study) -> None:
    study.save("scan.nii", study.data)
    study.save("atlas.nii.gz", study.labels.astype(np.float32)[..., None])
    np.testing.assert_allclose(study.read("scan.nii").values, study.means(), rtol=1e-12)


def test_one_frame_is_in_memory_at_a_time(study: Study, rng: np.random.Generator) -> None:
    scan = rng.integers(1, 1000, (32, 32, 16, 300), dtype=np.int16)
    study.save("scan.nii.gz", scan)
    study.save("atlas.nii.gz", rng.integers(0, 9, scan.shape[:3], dtype=np.int16))
    study.read("scan.nii.gz")  # what is imported does not count
    tracemalloc.start()
    raw = study.read("scan.nii.gz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert raw.values.shape == (300, 8)
    assert peak < scan.nbytes / 3


# ---- voxels and regions without data


def test_voxels_without_data_count_in_no_average(study: Study) -> None:
    without = np.zeros(SHAPE, np.bool_)
    without[3:] = True
    study.data[without] = 0.0
    study.data[0, :2] = np.nan
    study.save("scan.nii", study.data)
    study.labels[without] = 0
    study.labels[0, :2] = 0
    means = study.means()
    study.labels[without] = 5  # so that it has data in a small part
    study.save_labels()
    raw = study.read("scan.nii", atlas_labels=str(study.save_table()))
    np.testing.assert_allclose(raw.values, means, rtol=1e-12)
    assert raw.notes[0] == (
        "1 of 3 regions have data in less than 50% of their area in scan.nii: R_V1."
    )


def test_zeros_that_nilearn_averages_over_change_no_correlation(study: Study) -> None:
    study.data[3:] = 0.0
    scan = study.save("scan.nii", study.data)
    theirs = nilearn_means(scan, study.save_labels())
    np.testing.assert_allclose(
        np.corrcoef(study.read(scan).values.T), np.corrcoef(theirs.T), atol=1e-12
    )


def test_a_region_without_data_is_a_column_of_nan(study: Study) -> None:
    study.data[study.labels == 5] = 0.0
    study.save("scan.nii", study.data)
    table = study.save_table({0: "background", 2: "a", 5: "b", 7: "nowhere", 11: "c"})
    raw = study.read("scan.nii", atlas_labels=str(table))
    assert raw.labels == ("a", "b", "nowhere", "c")
    assert np.isnan(raw.values).all(axis=0).tolist() == [False, True, True, False]
    np.testing.assert_allclose(raw.values[:, [0, 3]], study.means((2, 11)), rtol=1e-12)


def test_values_that_are_not_finite_at_times_are_refused(study: Study) -> None:
    voxel = tuple(np.argwhere(study.labels == 5)[0])
    study.data[(*voxel, 7)] = np.inf
    study.save("scan.nii", study.data)
    with pytest.raises(ConnectomeError, match=r"not finite at some time points .* region '5'"):
        study.read("scan.nii")


def test_a_scan_without_data_in_the_atlas_is_refused(study: Study) -> None:
    study.save("scan.nii", np.zeros((*SHAPE, 3)))
    with pytest.raises(ConnectomeError, match="no data in any region of the atlas"):
        study.read("scan.nii")


def test_numbers_that_overflow_are_refused(study: Study) -> None:
    study.save("scan.nii", np.full((*SHAPE, 3), 1.7e308))
    with pytest.raises(ConnectomeError, match="too large to be averaged"):
        study.read("scan.nii")


# ---- names


def test_numbers_without_a_name_are_refused(study: Study) -> None:
    study.save("scan.nii", study.data)
    table = study.save_table({2: "a", 3: "b"})
    with pytest.raises(ConnectomeError, match=r"regions that dseg\.tsv does not name: 5, 11\."):
        study.read("scan.nii", atlas_labels=str(table))


# ---- grids


def test_another_grid_is_refused_and_resampled_on_demand(study: Study) -> None:
    scan = study.save("scan.nii", study.data)
    moved = AFFINE.copy()
    moved[:3, 3] += [0, 0.002, 0]
    atlas = study.save("atlas.nii.gz", study.labels, moved)
    with pytest.raises(ConnectomeError, match=r"different grids \(up to 0\.002 mm .* --resample"):
        study.read("scan.nii")
    raw = study.read("scan.nii", resample=True)
    np.testing.assert_allclose(raw.values, study.means(), rtol=1e-12)
    assert raw.notes[0] == (
        "atlas.nii.gz was brought from 6 x 7 x 5 voxels to the grid of scan.nii (6 x 7 x 5), each "
        "voxel taking its nearest label."
    )
    moved[:3, 3] = AFFINE[:3, 3] + [0, 0.0005, 0]
    study.save("atlas.nii.gz", study.labels, moved)
    assert len(study.read(scan).notes) == 1
    study.save("atlas.nii.gz", study.labels[:5], AFFINE)
    with pytest.raises(ConnectomeError, match="5 x 7 x 5 and 6 x 7 x 5 voxels"):
        study.read("scan.nii")
    assert atlas.exists()


@pytest.mark.parametrize(
    ("steps_mm", "origin_mm"),
    [
        ((2.0, 2.0, 2.0), (-96.5, -132.5, -78.5)),  # halfway between voxels, as MNI2009c at 2 mm
        ((2.0, 2.0, 2.0), (-96.0, -132.0, -78.0)),
        ((3.3, -2.7, 4.1), (-90.0, -100.0, -70.0)),
        ((0.7, 0.7, 0.7), (-80.0, -120.0, -70.0)),
    ],
)
def test_labels_are_resampled_as_nilearn_does(
    steps_mm: tuple[float, ...], origin_mm: tuple[float, ...], rng: np.random.Generator
) -> None:
    labels = rng.integers(0, 90, (30, 35, 28)).astype(np.int64)
    affine = np.diag([1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = -96, -132, -78
    target = np.diag([*steps_mm, 1.0])
    target[:3, 3] = origin_mm
    shape = (20, 21, 22)
    places = np.linalg.inv(affine) @ target @ np.array([*np.ogrid[:20, :21, :22], 1], object)
    # Halfway, nilearn takes one side or the other as its last digit falls, and in the outer half of
    # the outermost voxels it finds none.
    is_clear = np.ones(shape, np.bool_)
    for place, n in zip(places[:3], labels.shape, strict=True):
        is_clear &= (np.abs(place % 1 - 0.5) > 1e-6) & (abs(place - (n - 1) / 2) <= (n - 1) / 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from nilearn.image import resample_img

        theirs = resample_img(
            nibabel.Nifti1Image(labels.astype(np.int32), affine),
            target_affine=target,
            target_shape=shape,
            interpolation="nearest",
            copy_header=True,
            force_resample=True,
        )
    ours = resampled(labels, affine, shape, target)
    assert is_clear.any() == (steps_mm[2] != 2.0 or origin_mm[2] != -78.5)
    np.testing.assert_array_equal(ours[is_clear], np.asarray(theirs.dataobj)[is_clear])
    if not is_clear.any():
        np.testing.assert_array_equal(ours[1:15, 1:18, 1:14], labels[2::2, 2::2, 2::2])


def test_a_turned_grid_finds_its_labels(study: Study) -> None:
    study.save("scan.nii", study.data)
    turned = nibabel.Nifti1Image(study.labels, AFFINE).as_reoriented(
        nibabel.orientations.axcodes2ornt(("S", "P", "L"))
    )
    nibabel.save(turned, study.folder / "atlas.nii.gz")
    raw = study.read("scan.nii", resample=True)
    np.testing.assert_allclose(raw.values, study.means(), rtol=1e-12)


def test_without_orientation_voxels_are_taken_as_they_stand_or_not_at_all(study: Study) -> None:
    for name, data in (("scan.nii", study.data), ("atlas.nii.gz", study.labels)):
        header = nibabel.Nifti1Header()
        header.set_data_dtype(data.dtype)
        nibabel.save(nibabel.Nifti1Image(data, None, header), study.folder / name)
    raw = study.read("scan.nii")
    np.testing.assert_allclose(raw.values, study.means(), rtol=1e-12)
    assert "does not say where its voxels are; both were taken" in raw.notes[0]
    study.save_labels()
    with pytest.raises(ConnectomeError, match=r"^scan\.nii does not say .* codes are 0"):
        study.read("scan.nii", resample=True)


# ---- files that are something else


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (SHAPE, r"is 6 x 7 x 5 \(3-dimensional\), expected a scan of four"),
        ((*SHAPE, 1), r"is 6 x 7 x 5 \(3-dimensional\)"),
        ((*SHAPE, 2, 2), r"is 6 x 7 x 5 x 2 x 2 \(5-dimensional\)"),
    ],
)
def test_what_is_no_scan_is_refused(study: Study, shape: tuple[int, ...], message: str) -> None:
    study.save("scan.nii", np.ones(shape, np.float32))
    with pytest.raises(ConnectomeError, match=message):
        study.read("scan.nii")


def test_a_scan_without_an_atlas_says_how_to_give_one(study: Study) -> None:
    scan = study.save("scan.nii", study.data)
    with pytest.raises(ConnectomeError, match=r"scan of voxels\. .* --atlas \(a label image\)"):
        read_nifti(scan, Reading())
    with pytest.raises(ConnectomeError, match="There is no file at"):
        study.read(scan, atlas=str(study.folder / "none.nii"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full(SHAPE, 0.5), r"holds 0\.5, expected the whole numbers of a label image"),
        (np.full(SHAPE, -1.0), "holds -1, expected"),
        (np.full(SHAPE, np.nan), "holds nan, expected"),
        (np.full(SHAPE, 1e12), r"holds 1e\+12, expected"),
        (np.zeros(SHAPE), "has no region: all its voxels are 0"),
        (np.ones((*SHAPE, 2)), "expected a label image of three dimensions"),
    ],
)
def test_what_is_no_label_image_is_refused(
    study: Study, values: NDArray[np.float64], message: str
) -> None:
    study.save("scan.nii", study.data)
    study.save("atlas.nii.gz", values)
    with pytest.raises(ConnectomeError, match=rf"^atlas\.nii\.gz .*{message}"):
        study.read("scan.nii")


@pytest.mark.parametrize(
    ("dtype", "word"),
    [("c8", "complex64"), (np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]), "RGB")],
)
def test_numbers_that_are_not_real_are_refused(study: Study, dtype: Any, word: str) -> None:
    study.save("scan.nii", np.zeros((*SHAPE, 3), dtype))
    with pytest.raises(ConnectomeError, match=f"numbers of type {word}, expected real"):
        study.read("scan.nii")


def test_pairs_of_header_and_image_are_refused(study: Study) -> None:
    nibabel.save(nibabel.Nifti1Pair(study.data, AFFINE), study.folder / "scan.img")
    whole = (study.folder / "scan.hdr").read_bytes() + (study.folder / "scan.img").read_bytes()
    (study.folder / "scan.nii").write_bytes(whole)
    with pytest.raises(ConnectomeError, match=r"pair of files \(\.hdr and \.img\)"):
        study.read("scan.nii")


@pytest.mark.parametrize(
    "content", [b"", b"abc", b"hello, world" * 99, b"\x5c\x01\0\0", b"\0" * 400]
)
def test_what_is_no_nifti_file_is_refused(study: Study, content: bytes) -> None:
    (study.folder / "scan.nii").write_bytes(content)
    with pytest.raises(ConnectomeError, match=r"scan\.nii (is not a NIfTI file|is damaged)"):
        study.read("scan.nii")


def test_a_wrong_ending_is_recognized(study: Study) -> None:
    plain = study.save("scan.nii", study.data)
    plain.rename(study.folder / "plain.nii.gz")
    with pytest.raises(ConnectomeError, match="not compressed with gzip, which its name says"):
        study.read("plain.nii.gz")
    study.save("scan.nii.gz", study.data).rename(study.folder / "packed.nii")
    with pytest.raises(ConnectomeError, match=r"compressed with gzip.*Rename it to \.nii\.gz"):
        study.read("packed.nii")


def test_a_file_without_permission_is_refused(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = study.save("scan.nii", study.data)

    def refuse(*_: object) -> None:  # as the system does, except to root
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConnectomeError, match="cannot be read: Permission denied"):
        study.read(scan)


# ---- headers that lie


def with_field(whole: bytes, field: str, value: bytes) -> bytes:
    """A NIfTI-1 file with other bytes in a field of its header."""
    at = HEADER.fields[field][1]  # type: ignore[index]
    return whole[:at] + value + whole[at + len(value) :]


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("dim", struct.pack("<8h", 4, -6, 7, 5, 40, 1, 1, 1), "claims the size -6 x 7 x 5 x 40"),
        ("dim", struct.pack("<8h", 4, 6, 7, 0, 40, 1, 1, 1), "claims the size 6 x 7 x 0 x 40"),
        ("dim", struct.pack("<8h", 4, *([32767] * 4), 1, 1, 1), r"GB .* at most 17\.2 GB is read"),
        ("dim", struct.pack("<8h", 4, 6, 7, 5, 400, 1, 1, 1), "is cut short|its numbers cannot"),
        ("datatype", struct.pack("<h", 77), "its header cannot be read"),
        ("datatype", struct.pack("<h", 0), "its header cannot be read"),
        ("vox_offset", struct.pack("<f", 3e9), "numbers begin at byte 3000000000"),
        ("vox_offset", struct.pack("<f", 5.0), "its header cannot be read|begin at byte 5"),
        ("vox_offset", struct.pack("<f", np.nan), "its header cannot be read"),
        ("vox_offset", struct.pack("<f", -1e30), "its header cannot be read|begin at byte"),
        ("scl_inter", struct.pack("<f", np.inf), "its header cannot be read"),
        ("srow_x", struct.pack("<f", np.nan), "does not say where its voxels are"),
        ("srow_x", struct.pack("<4f", 0, 0, 0, 0), "does not say where its voxels are"),
        ("magic", b"n+2\0", "its header cannot be read"),
        ("sizeof_hdr", b"\0\0\0\0", "is not a NIfTI file"),
    ],
)
def test_a_header_is_not_believed(
    study: Study, ending: str, field: str, value: bytes, message: str
) -> None:
    study.save("scan.nii", study.data.astype(np.float32))
    whole = with_field((study.folder / "scan.nii").read_bytes(), field, value)
    path = study.folder / f"lies{ending}"
    path.write_bytes(whole if ending == ".nii" else gzip.compress(whole, 1))
    with pytest.raises(ConnectomeError, match=message):
        study.read(path)


def test_an_infinite_slope_counts_as_none_as_nibabel_has_it(study: Study) -> None:
    study.save("scan.nii", study.data)
    whole = (study.folder / "scan.nii").read_bytes()
    for slope in (np.inf, np.nan, 0.0):
        changed = with_field(whole, "scl_slope", struct.pack("<f", slope))
        (study.folder / "scan.nii").write_bytes(changed)
        np.testing.assert_allclose(study.read("scan.nii").values, study.means(), rtol=1e-12)


def test_what_nibabel_repairs_is_not_printed(
    study: Study, capfd: pytest.CaptureFixture[str]
) -> None:
    study.save("scan.nii", study.data)
    whole = (study.folder / "scan.nii").read_bytes()
    for field, value in (("bitpix", struct.pack("<h", 3)), ("pixdim", struct.pack("<f", 9.0))):
        whole = with_field(whole, field, value)
    (study.folder / "scan.nii").write_bytes(whole)
    np.testing.assert_allclose(study.read("scan.nii").values, study.means(), rtol=1e-12)
    assert capfd.readouterr() == ("", "")


def test_only_what_the_header_claims_is_unpacked(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.save("scan.nii", study.data)
    whole = (study.folder / "scan.nii").read_bytes()
    packed = study.folder / "scan.nii.gz"
    packed.write_bytes(gzip.compress(whole + bytes(50_000_000), 1))
    n_unpacked = 0
    read = gzip.GzipFile.read

    def counted(self: gzip.GzipFile, size: int | None = -1) -> bytes:
        nonlocal n_unpacked
        content = read(self, size)
        n_unpacked += len(content)
        return content

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    np.testing.assert_allclose(study.read(packed).values, study.means(), rtol=1e-12)
    assert n_unpacked < len(whole) + 3_000_000


def test_a_scan_over_the_limit_is_left_unread(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.save("scan.nii.gz", study.data)
    study.save_labels()
    monkeypatch.setattr(nibabel_images, "MAX_SCAN_BYTES", 50_000)
    with pytest.raises(ConnectomeError, match=r"claims 0\.0 GB \(6 x 7 x 5 x 40\); at most"):
        study.read("scan.nii.gz")


# ---- damage


def refused(read: Callable[[], RawArray]) -> bool:
    """Whether a file is refused in a sentence; any other exception is raised."""
    try:
        raw = read()
    except ConnectomeError as error:
        assert "\n" not in str(error)
        assert str(error)[-1] in ".)"
        return True
    assert raw.values.ndim == 2
    return False


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_any_cut_ends_in_a_sentence(study: Study, ending: str) -> None:
    path = study.save(f"scan{ending}", study.data.astype(np.int16))
    whole = path.read_bytes()
    for end in (*range(1, 420, 5), *range(420, len(whole), len(whole) // 20), len(whole) - 1):
        path.write_bytes(whole[:end])
        assert refused(lambda: study.read(path)), end


def test_any_flipped_byte_of_a_packed_scan_is_noticed(
    study: Study, rng: np.random.Generator
) -> None:
    path = study.save("scan.nii.gz", study.data.astype(np.int16))
    whole = path.read_bytes()
    for place in rng.integers(10, len(whole) - 4, 60):
        changed = bytearray(whole)
        changed[place] ^= int(rng.integers(1, 256))
        path.write_bytes(changed)
        assert refused(lambda: study.read(path)), place


def test_any_flipped_byte_of_a_header_ends_in_a_sentence_or_an_array(
    study: Study, rng: np.random.Generator
) -> None:
    path = study.save("scan.nii", study.data.astype(np.int16))
    whole = path.read_bytes()
    n_refused = 0
    for place in range(352):
        changed = bytearray(whole)
        changed[place] ^= int(rng.integers(1, 256))
        path.write_bytes(changed)
        n_refused += refused(lambda: study.read(path))
    assert n_refused > 40


def test_names_of_files_are_shown_without_their_escapes(study: Study) -> None:
    path = study.folder / "a\x1b[31m\nb.nii"
    path.write_bytes(b"nothing")
    with pytest.raises(ConnectomeError, match=r"^a\\x1b\[31m\\nb\.nii is not a NIfTI file"):
        study.read(path)
