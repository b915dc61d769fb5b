"""CIFTI-2 files: what nibabel writes is read; what does not fit is refused in a sentence."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from nibabel.cifti2 import (
    BrainModelAxis,
    Cifti2Image,
    LabelAxis,
    ParcelsAxis,
    ScalarAxis,
    SeriesAxis,
)
from numpy.typing import NDArray

from dtb_runtime import cifti_files
from dtb_runtime.cifti_files import read_cifti
from dtb_runtime.connectome import Connectome
from dtb_runtime.errors import ConnectomeError
from dtb_runtime.nifti_files import read_nifti
from dtb_runtime.raw_array import RawArray
from dtb_runtime.reading import Reading

N_VERTICES, N_FRAMES = 30, 25
GRID, AFFINE = (4, 5, 6), np.diag([2.0, 2.0, 2.0, 1.0])
TIME = SeriesAxis(0, 0.72, N_FRAMES)
NO_COLOR = (0.0, 0.0, 0.0, 0.0)


def surface(side: str, vertices: Sequence[int], n_vertices: int = N_VERTICES) -> BrainModelAxis:
    """Some vertices of one hemisphere."""
    return BrainModelAxis.from_surface(np.array(vertices), n_vertices, f"CORTEX_{side}")


def below(voxels: Sequence[tuple[int, int, int]], affine: Any = AFFINE) -> BrainModelAxis:
    """Some voxels of the thalamus."""
    mask = np.zeros(GRID, np.bool_)
    mask[tuple(np.array(voxels).T)] = True
    return BrainModelAxis.from_mask(mask, "THALAMUS_LEFT", affine)


# Vertices 3, 4 and 5 of the left are medial wall.
LEFT = surface("LEFT", [i for i in range(N_VERTICES) if i not in (3, 4, 5)])
RIGHT = surface("RIGHT", range(N_VERTICES))
THALAMUS = below([(0, 0, 0), (1, 2, 3), (3, 4, 5), (1, 0, 2)])
DENSE = LEFT + RIGHT + THALAMUS


def parcels(names: Sequence[str]) -> ParcelsAxis:
    """Parcels of two vertices each."""
    models = [(name, surface("LEFT", [2 * i, 2 * i + 1])) for i, name in enumerate(names)]
    return ParcelsAxis.from_brain_models(models)


def label_axis(names: dict[int, str]) -> LabelAxis:
    """One map of labels."""
    table = {key: (name, NO_COLOR) for key, name in names.items()}
    return LabelAxis(["atlas"], [table])


def save(path: Path, data: NDArray[Any], *axes: Any) -> Path:
    """Save with nibabel."""
    nibabel.save(Cifti2Image(data, axes), path)
    return path


def save_atlas(
    folder: Path, keys: Sequence[int], names: dict[int, str], axis: BrainModelAxis = DENSE
) -> Path:
    """Save a .dlabel.nii with nibabel."""
    data = np.array([keys], np.float32)
    return save(folder / "atlas.dlabel.nii", data, label_axis(names), axis)


@pytest.fixture
def series(rng: np.random.Generator) -> NDArray[np.float64]:
    """Noise of every grayordinate."""
    return 100 + rng.standard_normal((N_FRAMES, len(DENSE)))


@pytest.fixture
def scan(tmp_path: Path, series: NDArray[np.float64]) -> Path:
    """The same as a file."""
    return save(tmp_path / "s.dtseries.nii", series, TIME, DENSE)


def read_with(scan: Path, atlas: Path, **options: Any) -> RawArray:
    """Read a scan of grayordinates."""
    return read_cifti(scan, Reading(atlas=str(atlas), **options))


# ---- parcels


def test_a_matrix_of_parcels_is_a_connectome(tmp_path: Path, rng: np.random.Generator) -> None:
    matrix = np.corrcoef(rng.standard_normal((4, 50)))
    axis = parcels(["L_V1_ROI", " L_V2 ", "c", "d"])
    raw = read_cifti(save(tmp_path / "c.pconn.nii", matrix, axis, axis), Reading())
    np.testing.assert_array_equal(raw.values, matrix)
    assert raw.labels == raw.row_labels == ("L_V1_ROI", "L_V2", "c", "d")
    assert (raw.kind, raw.scale, raw.notes) == ("connectome", None, ())


def test_series_of_parcels_are_time_by_regions(tmp_path: Path, rng: np.random.Generator) -> None:
    values = rng.standard_normal((N_FRAMES, 3)).astype(np.float32)
    path = save(tmp_path / "s.ptseries.nii", values, TIME, parcels("abc"))
    raw = read_cifti(path, Reading())
    np.testing.assert_array_equal(raw.values, values)
    assert (raw.labels, raw.row_labels, raw.kind) == (("a", "b", "c"), None, "timeseries")


@pytest.mark.parametrize("name", ["plain.nii", "packed.nii.gz"])
def test_the_content_decides_and_not_the_name(
    tmp_path: Path, name: str, rng: np.random.Generator
) -> None:
    values = rng.standard_normal((N_FRAMES, 3))
    image = Cifti2Image(values, (TIME, parcels("abc")))
    image.update_headers()
    image.nifti_header.set_intent("NIFTI_INTENT_CONNECTIVITY_PARCELLATED_SERIES")
    nibabel.save(image, tmp_path / "s.ptseries.nii")
    content = (tmp_path / "s.ptseries.nii").read_bytes()
    if name.endswith(".gz"):
        content = gzip.compress(content)
    (tmp_path / name).write_bytes(content)
    raw = read_nifti(tmp_path / name, Reading())
    np.testing.assert_array_equal(raw.values, values)
    assert raw.kind == "timeseries"


def test_a_region_without_data_stays_nan(tmp_path: Path, rng: np.random.Generator) -> None:
    values = rng.standard_normal((N_FRAMES, 3))
    values[:, 1] = np.nan
    path = save(tmp_path / "s.ptseries.nii", values, TIME, parcels("abc"))
    assert np.isnan(read_cifti(path, Reading()).values).all(axis=0).tolist() == [0, 1, 0]


def test_different_parcels_in_rows_and_columns_are_refused(tmp_path: Path) -> None:
    rows, columns = parcels("abc"), parcels("acb")
    path = save(tmp_path / "c.pconn.nii", np.eye(3), rows, columns)
    with pytest.raises(ConnectomeError, match=r"rows and columns are different parcels \(b, c\)"):
        read_cifti(path, Reading())
    path = save(tmp_path / "c.pconn.nii", np.ones((3, 2)), rows, parcels("ab"))
    with pytest.raises(ConnectomeError, match=r"is 3 x 2: .* different parcels \(not as many\)"):
        read_cifti(path, Reading())
    other = parcels("dabc")[1:]
    path = save(tmp_path / "c.pconn.nii", np.eye(3), rows, other)
    with pytest.raises(ConnectomeError, match=r"same names .* cover different grayordinates"):
        read_cifti(path, Reading())


@pytest.mark.parametrize("option", [{"atlas": "a.dlabel.nii"}, {"denoise": "simple"}])
def test_options_of_scans_are_refused_with_parcels(tmp_path: Path, option: dict[str, str]) -> None:
    path = save(tmp_path / "c.pconn.nii", np.eye(3), parcels("abc"), parcels("abc"))
    with pytest.raises(ConnectomeError, match=rf"holds parcels already, so --{next(iter(option))}"):
        read_cifti(path, Reading(**option))  # type: ignore[arg-type]


# ---- grayordinates with an atlas


def test_grayordinates_are_averaged_over_labels(
    tmp_path: Path, scan: Path, series: NDArray[np.float64], rng: np.random.Generator
) -> None:
    keys = rng.choice([0, 4, 9, 200], len(DENSE))
    names = {200: "c", 0: "???", 9: "b", 4: "a"}
    raw = read_with(scan, save_atlas(tmp_path, keys, names))
    expected = np.array([series[:, keys == key].mean(axis=1) for key in (4, 9, 200)]).T
    np.testing.assert_allclose(raw.values, expected, rtol=1e-12)
    assert (raw.labels, raw.kind) == (("a", "b", "c"), "timeseries")
    assert raw.notes == (
        "The series of s.dtseries.nii were used as they are: no confounds were regressed out "
        "(--denoise).",
    )


def test_parts_of_grayordinates_add_up(
    tmp_path: Path, scan: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = rng.choice([0, 4, 9], len(DENSE))
    atlas = save_atlas(tmp_path, keys, {0: "???", 4: "a", 9: "b"})
    whole = read_with(scan, atlas)
    monkeypatch.setattr(cifti_files, "_PART_BYTES", 7 * 8 * N_FRAMES)
    np.testing.assert_allclose(read_with(scan, atlas).values, whole.values, rtol=1e-12)


def test_grayordinates_are_matched_by_place_and_not_by_position(
    tmp_path: Path, scan: Path, series: NDArray[np.float64]
) -> None:
    axis = below([(1, 2, 3), (3, 4, 5)]) + surface("RIGHT", [20, 7, 8]) + surface("LEFT", [2, 6])
    atlas = save_atlas(tmp_path, [1, 2, 3, 3, 4, 5, 6], {i: f"r{i}" for i in range(1, 7)}, axis)
    raw = read_with(scan, atlas)
    left, right, thalamus = 0, len(LEFT), len(LEFT) + len(RIGHT)
    # Voxels in the order of the file: (0, 0, 0), (1, 0, 2), (1, 2, 3), (3, 4, 5).
    columns = [[thalamus + 2], [thalamus + 3], [right + 20, right + 7], [right + 8]]
    columns += [[left + 2], [left + 3]]
    expected = np.array([series[:, each].mean(axis=1) for each in columns]).T
    np.testing.assert_allclose(raw.values, expected, rtol=1e-12)


def test_an_atlas_may_cover_the_medial_wall_and_leave_out_structures(
    tmp_path: Path, scan: Path, series: NDArray[np.float64]
) -> None:
    axis = surface("LEFT", range(N_VERTICES))
    keys = np.zeros(N_VERTICES, int)
    keys[:5] = 1  # of which 3 and 4 are medial wall
    keys[5] = 2  # medial wall alone
    raw = read_with(scan, save_atlas(tmp_path, keys, {0: "???", 1: "a", 2: "wall"}, axis))
    np.testing.assert_allclose(raw.values[:, 0], series[:, :3].mean(axis=1), rtol=1e-12)
    assert raw.labels == ("a", "wall")
    assert np.isnan(raw.values[:, 1]).all()


def test_missing_data_count_in_no_average_and_are_noted(
    tmp_path: Path, series: NDArray[np.float64]
) -> None:
    keys = np.zeros(len(DENSE), int)
    keys[:10], keys[10:20], keys[20:30] = 1, 2, 3
    series[:, 2:10] = 0.0
    series[:, 10:12] = np.nan
    series[:, 20:30] = 0.0
    scan = save(tmp_path / "s.dtseries.nii", series, TIME, DENSE)
    atlas = save_atlas(tmp_path, keys, {0: "???", 1: "a", 2: "b", 3: "c", 4: "unused"})
    raw = read_with(scan, atlas)
    np.testing.assert_allclose(raw.values[:, 0], series[:, :2].mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(raw.values[:, 1], series[:, 12:20].mean(axis=1), rtol=1e-12)
    assert np.isnan(raw.values[:, 2:]).all()
    assert raw.labels == ("a", "b", "c", "unused")
    assert raw.notes[0].startswith("1 of 4 regions have data in less than 50% of their area")
    series[3, 15] = np.nan
    save(scan, series, TIME, DENSE)
    with pytest.raises(ConnectomeError, match=r"not finite at some time points .* region 'b'"):
        read_with(scan, atlas)


def test_what_is_no_region_is_left_out_and_said(
    tmp_path: Path, scan: Path, series: NDArray[np.float64]
) -> None:
    keys = np.zeros(len(DENSE), int)
    keys[:10], keys[10:20] = 1, 2
    raw = read_with(scan, save_atlas(tmp_path, keys, {0: "Medial_Wall", 1: "???", 2: "b"}))
    assert raw.labels == ("b",)
    np.testing.assert_allclose(raw.values[:, 0], series[:, 10:20].mean(axis=1), rtol=1e-12)
    assert raw.notes[0] == "Label 0 of atlas.dlabel.nii (Medial_Wall) was taken for no region."


def test_a_scan_without_an_atlas_says_how_to_give_one(scan: Path) -> None:
    with pytest.raises(ConnectomeError, match=r"scan of 61 grayordinates.*--atlas \(a \.dlabel"):
        read_cifti(scan, Reading())
    with pytest.raises(ConnectomeError, match=r"There is no file at .*none\.dlabel\.nii"):
        read_with(scan, scan.with_name("none.dlabel.nii"))
    with pytest.raises(ConnectomeError, match=r"names its regions itself. Drop --atlas-labels"):
        read_with(scan, scan, atlas_labels="names.tsv")


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        (surface("LEFT", [0, 1], 32492), "has 30 vertices in CORTEX_LEFT, but atlas.* 32492"),
        (BrainModelAxis.from_surface([0, 1], N_VERTICES, "CEREBELLUM"), "in CEREBELLUM, which"),
        (below([(0, 0, 0), (1, 1, 1)], np.diag([2, 2, 2.01, 1])), "another grid than those of s"),
    ],
)
def test_grayordinates_that_do_not_match_are_refused(
    tmp_path: Path, scan: Path, axis: BrainModelAxis, message: str
) -> None:
    atlas = save_atlas(tmp_path, [1, 2], {1: "a", 2: "b"}, axis)
    with pytest.raises(ConnectomeError, match=message):
        read_with(scan, atlas)
    # Where nothing of them is in a region, nothing has to match.
    both = axis + RIGHT
    save_atlas(tmp_path, [0, 0, *([1] * len(RIGHT))], {0: "???", 1: "a"}, both)
    assert read_with(scan, atlas).labels == ("a",)


def test_an_atlas_of_voxels_needs_voxels(tmp_path: Path, series: NDArray[np.float64]) -> None:
    cortex = save(tmp_path / "s.dtseries.nii", series[:, : len(LEFT)], TIME, LEFT)
    atlas = save_atlas(tmp_path, [1, 1], {1: "a"}, below([(0, 0, 0), (1, 1, 1)]))
    with pytest.raises(ConnectomeError, match=r"regions below the cortex, but .* only surfaces"):
        read_with(cortex, atlas)


def test_what_is_no_atlas_is_refused(tmp_path: Path, scan: Path) -> None:
    with pytest.raises(ConnectomeError, match="holds 25 time points by grayordinates, expected 1"):
        read_with(scan, scan)
    two = LabelAxis(["a", "b"], [{0: ("???", NO_COLOR), 1: ("x", NO_COLOR)}] * 2)
    path = save(tmp_path / "two.dlabel.nii", np.ones((2, len(DENSE))), two, DENSE)
    with pytest.raises(ConnectomeError, match="holds 2 maps of labels by grayordinates"):
        read_with(scan, path)
    path = save_atlas(tmp_path, [7] * len(DENSE), {0: "???", 1: "a"})
    with pytest.raises(ConnectomeError, match="numbers that its table does not name: 7"):
        read_with(scan, path)
    path = save_atlas(tmp_path, [0] * len(DENSE), {0: "???"})
    with pytest.raises(ConnectomeError, match="names no region"):
        read_with(scan, path)


def test_scans_and_atlases_of_different_kinds_do_not_go_together(
    tmp_path: Path, scan: Path
) -> None:
    image = tmp_path / "atlas.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.ones(GRID, np.int16), AFFINE), image)
    with pytest.raises(ConnectomeError, match=r"a label image of voxels, but.*as \.dlabel\.nii"):
        read_with(scan, image)
    volume = tmp_path / "scan.nii"
    nibabel.save(nibabel.Nifti1Image(np.ones((*GRID, 9), np.float32), AFFINE), volume)
    atlas = save_atlas(tmp_path, [1] * len(DENSE), {1: "a"})
    with pytest.raises(ConnectomeError, match=r"an atlas of grayordinates .* one of voxels"):
        read_nifti(volume, Reading(atlas=str(atlas)))
    volume.rename(tmp_path / "v.dtseries.nii")
    with pytest.raises(ConnectomeError, match="is a NIfTI file, but no CIFTI-2 file"):
        read_with(tmp_path / "v.dtseries.nii", atlas)


# ---- other matrices


@pytest.mark.parametrize(
    ("name", "axes", "words"),
    [
        ("a.dscalar.nii", (ScalarAxis(["x"]), DENSE), r"maps by grayordinates \(1 x 61\)"),
        ("a.dlabel.nii", (label_axis({0: "???"}), DENSE), r"maps of labels by grayordinates"),
        ("a.pscalar.nii", (ScalarAxis(["x"]), parcels("ab")), r"maps by parcels \(1 x 2\)"),
        ("a.pdconn.nii", (parcels("ab"), DENSE), r"parcels by grayordinates \(2 x 61\)"),
    ],
)
def test_other_matrices_are_refused_by_what_they_are(
    tmp_path: Path, name: str, axes: tuple[Any, Any], words: str
) -> None:
    shape = len(axes[0]), len(axes[1])
    path = save(tmp_path / name, np.zeros(shape, np.float32), *axes)
    with pytest.raises(ConnectomeError, match=rf"holds {words}.*expected parcels by parcels"):
        read_cifti(path, Reading())


def test_a_series_must_be_in_time(tmp_path: Path) -> None:
    axis = SeriesAxis(0, 1, 4, "HERTZ")
    path = save(tmp_path / "s.ptseries.nii", np.ones((4, 2)), axis, parcels("ab"))
    with pytest.raises(ConnectomeError, match="is a series in hertz, expected one in time"):
        read_cifti(path, Reading())


# ---- damage


def replaced(path: Path, old: bytes, new: bytes) -> Path:
    """The same file with other bytes of the same number in its XML."""
    content = path.read_bytes()
    assert old in content
    assert len(old) == len(new)
    changed = path.with_name(f"changed_{path.name}")
    changed.write_bytes(content.replace(old, new, 1))
    return changed


@pytest.fixture
def connectome(tmp_path: Path) -> Path:
    """A .pconn.nii."""
    axis = parcels(["abcdef", "ghijkl", "mnopqr"])
    return save(tmp_path / "c.pconn.nii", np.eye(3), axis, axis)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"<CIFTI ", b"<XIFTI ", "header without a matrix|cannot be read"),
        (b"</CIFTI>", b"</CIFTi>", "its CIFTI-2 header cannot be read"),
        (b'Version="2', b'Version="1', "Only CIFTI-2 files are supported"),
        (b'Version="2', b'Vers"on="2', "its CIFTI-2 header cannot be read"),
        (b"INDEX_TYPE_PARCELS", b"INDEX_TYPE_SCALARS", "cannot be read"),
        (b"INDEX_TYPE_PARCELS", b"INDEX_TYPE_NOTHING", "cannot be read"),
        (b"MatrixDimension=", b"MatrixDimensiom=", "cannot be read"),
        (b'Dimension="0,1"', b'Dimension="0,0"', "cannot be read"),
        (b'Dimension="0,1"', b'Dimension="7,9"', "cannot be read"),
        (b"CORTEX_LEFT", b"CORTEX_LIFT", "cannot be read"),
        (b'Name="abcdef"', b'Name="&nope;"', "cannot be read"),
        (b'Name="abcdef"', b'Name="\xff\xfe\xff\xfe\xff\xfe"', "cannot be read"),
        (b'Name="abcdef"', b'Name="abc\0ef"', "is not UTF-8"),
    ],
)
def test_damaged_xml_is_refused(connectome: Path, old: bytes, new: bytes, message: str) -> None:
    with pytest.raises(ConnectomeError, match=message):
        read_cifti(replaced(connectome, old, new), Reading())


def with_xml(path: Path, xml: bytes) -> Path:
    """The same matrix with another CIFTI-2 header."""
    image = nibabel.load(path)
    header = nibabel.Nifti2Header(image.nifti_header.binaryblock, check=False)
    extension = nibabel.nifti1.Nifti1Extension("ignore", xml)
    header.extensions.append(extension)
    numbers = np.asarray(image.dataobj).reshape((1, 1, 1, 1, *image.shape))
    changed = path.with_name(f"changed_{path.name}")
    plain = nibabel.Nifti2Image(numbers, None, header)
    plain.header["intent_code"] = 3003
    nibabel.save(plain, changed)
    content = bytearray(changed.read_bytes())
    content[548:552] = (32).to_bytes(4, "little")  # the code of CIFTI's extension
    changed.write_bytes(content)
    return changed


def test_entities_that_unpack_to_anything_are_not_unpacked(connectome: Path) -> None:
    bomb = '<?xml version="1.0"?><!DOCTYPE CIFTI [<!ENTITY a "lol">' + "".join(
        f'<!ENTITY {after} "{f"&{before};" * 10}">'
        for before, after in zip("abcdefgh", "bcdefghi", strict=True)
    )
    xml = (bomb + ']><CIFTI Version="2"><Matrix>&i;</Matrix></CIFTI>').encode()
    with pytest.raises(ConnectomeError, match="defines entities"):
        read_cifti(with_xml(connectome, xml), Reading())
    with pytest.raises(ConnectomeError, match="is not UTF-8"):
        read_cifti(with_xml(connectome, xml.decode().encode("utf-16")), Reading())


@pytest.mark.parametrize("xml", [b"hello", b"<GIFTI></GIFTI>", b"<CIFTI", b"<a>" * 100_000])
def test_xml_of_something_else_is_refused(connectome: Path, xml: bytes) -> None:
    with pytest.raises(ConnectomeError, match=r"cannot be read|without a matrix"):
        read_cifti(with_xml(connectome, xml), Reading())


def test_a_file_without_xml_is_refused(connectome: Path) -> None:
    content = bytearray(connectome.read_bytes())
    content[548:552] = (6).to_bytes(4, "little")  # a comment
    connectome.write_bytes(content)
    with pytest.raises(ConnectomeError, match=r"has no CIFTI-2 header .* wb_command -file-convert"):
        read_cifti(connectome, Reading())
    content[544:548] = (-1).to_bytes(4, "little", signed=True)
    connectome.write_bytes(content)
    with pytest.raises(ConnectomeError, match="has no CIFTI-2 header"):
        read_cifti(connectome, Reading())


def test_axes_that_do_not_fit_the_matrix_are_refused(
    tmp_path: Path, connectome: Path, scan: Path
) -> None:
    axis = parcels("abcd")
    xml = Cifti2Image(np.eye(4), (axis, axis)).header.to_xml()
    with pytest.raises(ConnectomeError, match=r"holds 3 x 3 numbers, but .* 4 rows or columns"):
        read_cifti(with_xml(connectome, xml), Reading())
    atlas = save_atlas(tmp_path, [1] * len(DENSE), {1: "a"})
    for old, new, message in (
        (b'IndexCount="30"', b'IndexCount="99"', "have not as many grayordinates"),
        (b'IndexCount="30"', b'IndexCount="-1"', "have not as many grayordinates"),
        (b'IndexOffset="27"', b'IndexOffset="26"', "do not follow each other"),
        (b'SeriesPoints="25"', b'SeriesPoints="24"', "has 24 rows or columns instead of 25"),
        (b'SeriesPoints="25"', b'SeriesPoints="-5"', "cannot be read|-5 rows"),
    ):
        with pytest.raises(ConnectomeError, match=message):
            read_with(replaced(scan, old, new), atlas)


def test_voxels_outside_of_their_volume_are_refused(tmp_path: Path, scan: Path) -> None:
    atlas = save_atlas(tmp_path, [1] * len(DENSE), {1: "a"})
    with pytest.raises(ConnectomeError, match="voxels outside of its volume of 4 x 5 x 6"):
        read_with(replaced(scan, b"\n3 4 5", b"\n3 4 9"), atlas)


def test_grayordinates_that_stand_twice_are_refused(tmp_path: Path, scan: Path) -> None:
    atlas = save_atlas(tmp_path, [1] * len(DENSE), {1: "a"})
    for old, new in ((b"7 8 9", b"7 8 8"), (b"\n1 0 2", b"\n0 0 0")):
        with pytest.raises(ConnectomeError, match="has the same grayordinate twice"):
            read_with(replaced(scan, old, new), atlas)


def test_a_matrix_over_the_limit_is_left_unread(
    connectome: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtb_runtime.raw_array.MAX_ARRAY_BYTES", 71)
    with pytest.raises(ConnectomeError, match=r"claims .* \(3 x 3\); at most"):
        read_cifti(connectome, Reading())


def test_any_cut_or_flipped_byte_ends_in_a_sentence_or_an_array(
    connectome: Path, rng: np.random.Generator
) -> None:
    whole = connectome.read_bytes()
    for end in (*range(0, 560, 9), *range(560, len(whole), 60), len(whole) - 1):
        connectome.write_bytes(whole[:end])
        with pytest.raises(ConnectomeError):
            read_cifti(connectome, Reading())
    n_refused = 0
    for place in (*range(0, 560), *rng.integers(560, len(whole), 300)):
        changed = bytearray(whole)
        changed[place] ^= int(rng.integers(1, 256))
        connectome.write_bytes(changed)
        try:
            assert read_cifti(connectome, Reading()).values.ndim == 2
        except ConnectomeError as error:
            assert "\n" not in str(error)
            n_refused += 1
    assert n_refused > 200


# ---- a real person


def test_a_real_person_has_the_same_connectome_from_every_format(
    shared_data: Path, tmp_path: Path
) -> None:
    path = next((shared_data / "hcp_rest").glob("*/*_task-rest_*_timeseries.npy"))
    values = np.load(path)
    axis = parcels([f"region_{i}" for i in range(values.shape[1])])
    expected = Connectome.from_timeseries(values).correlations
    n_frames = len(values)
    raw = read_cifti(
        save(tmp_path / "s.ptseries.nii", values, SeriesAxis(0, 0.72, n_frames), axis), Reading()
    )
    found = Connectome.from_timeseries(raw.values, labels=raw.labels)
    np.testing.assert_allclose(found.correlations, expected, atol=1e-5)
    matrix = np.corrcoef(values.T.astype(np.float64)).astype(np.float32)
    raw = read_cifti(save(tmp_path / "c.pconn.nii", matrix, axis, axis), Reading())
    found = Connectome.from_matrix(raw.values, labels=raw.labels)
    np.testing.assert_allclose(found.correlations, expected, atol=1e-5)


# ---- hemispheres


def two_sides(left: str, right: str) -> ParcelsAxis:
    """A parcel of each hemisphere."""
    return ParcelsAxis.from_brain_models([(left, LEFT[:2]), (right, RIGHT[:2])])


def test_exchanged_hemispheres_are_refused(tmp_path: Path, scan: Path) -> None:
    match = r"the hemispheres are exchanged.*\(R_V1, L_V1\)"
    axis = two_sides("R_V1", "L_V1")
    path = save(tmp_path / "c.pconn.nii", np.eye(2, dtype=np.float32), axis, axis)
    with pytest.raises(ConnectomeError, match=match):
        read_cifti(path, Reading())
    path = save(tmp_path / "s.ptseries.nii", np.ones((N_FRAMES, 2), np.float32), TIME, axis)
    with pytest.raises(ConnectomeError, match=match):
        read_cifti(path, Reading())
    keys = [1] * len(LEFT) + [2] * len(RIGHT) + [0] * len(THALAMUS)
    atlas = save_atlas(tmp_path, keys, {0: "???", 1: "R_V1", 2: "L_V1"})
    with pytest.raises(ConnectomeError, match=match):
        read_with(scan, atlas)


def test_hemispheres_that_fit_say_nothing_and_some_that_do_not_are_noted(tmp_path: Path) -> None:
    values = np.eye(2, dtype=np.float32)
    axis = two_sides("L_V1", "R_V1")
    assert read_cifti(save(tmp_path / "a.pconn.nii", values, axis, axis), Reading()).notes == ()
    axis = two_sides("L_V1", "L_V2")
    raw = read_cifti(save(tmp_path / "b.pconn.nii", values, axis, axis), Reading())
    assert raw.notes == (
        "In b.pconn.nii, 1 regions lie in the other hemisphere than their names say, such as "
        "'L_V2'.",
    )
