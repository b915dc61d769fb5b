"""Readers: the same numbers from every format, and one sentence for every damaged file."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime import plain_files
from dtb_runtime.connectome import Connectome
from dtb_runtime.connectome_file import read_connectome
from dtb_runtime.errors import ConnectomeError
from dtb_runtime.readers import READERS, read_array
from dtb_runtime.reading import Reading

VALUES = np.array([[1.0, 0.25, -0.5], [0.25, 1.0, 0.125], [-0.5, 0.125, 1.0], [0.0, 2.5e-3, 7.0]])
NAMES = ("L_V1", "R_V1", "M1 left")


def rows_of(values: NDArray[np.float64], delimiter: str) -> list[str]:
    """Lines of text with these numbers."""
    return [delimiter.join(map(repr, row)) for row in values.tolist()]


def write_lines(path: Path, lines: list[str]) -> Path:
    """Write lines of text."""
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_table_of_readers_is_what_the_documentation_says() -> None:
    page = Path(__file__).parents[2] / "docs" / "files.md"
    rows = [line.split("|")[1] for line in page.read_text().splitlines() if line.startswith("| `.")]
    assert sorted(READERS) == sorted(re.findall(r"`(\.[a-z0-9.]+)`", " ".join(rows)))


# ---- the same numbers from every format


@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".txt", ".npy", ".npz", ".CSV", ".Npy"])
def test_bare_numbers_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"c{suffix}"
    match suffix.lower():
        case ".npy":
            with path.open("wb") as file:
                np.save(file, VALUES)
        case ".npz":
            np.savez(path, VALUES)
        case _:
            write_lines(path, rows_of(VALUES, {".tsv": "\t", ".txt": "  "}.get(suffix, ",")))
    raw = read_array(path)
    np.testing.assert_array_equal(raw.values, VALUES)
    assert raw.values.dtype == np.float64
    assert (raw.labels, raw.row_labels, raw.kind) == (None, None, None)


@pytest.mark.parametrize("delimiter", [",", ", ", " ", "\t", "   "])
def test_txt_may_have_commas_or_blanks(tmp_path: Path, delimiter: str) -> None:
    raw = read_array(write_lines(tmp_path / "c.txt", rows_of(VALUES, delimiter)))
    np.testing.assert_array_equal(raw.values, VALUES)


@pytest.mark.parametrize("suffix", [".csv", ".txt"])
@pytest.mark.parametrize("header", ["", ";L_V1;R_V1;M1 left", ';"L_V1";"R_V1";"M1 left"'])
def test_semicolons_are_read_where_a_comma_would_be(
    tmp_path: Path, suffix: str, header: str
) -> None:
    lines = rows_of(VALUES, ";")
    if header:
        lines = [header, *(f"{name};{line}" for name, line in zip("abcd", lines, strict=True))]
    raw = read_array(write_lines(tmp_path / f"c{suffix}", lines))
    np.testing.assert_array_equal(raw.values, VALUES)
    assert raw.labels == (NAMES if header else None)


def test_a_semicolon_in_a_name_separates_nothing(tmp_path: Path) -> None:
    lines = ['"a;b","c;d"', "1,0.5", "0.5,1"]
    raw = read_array(write_lines(tmp_path / "c.csv", lines))
    assert raw.labels == ("a;b", "c;d")


def test_what_numpy_savetxt_writes_is_read(tmp_path: Path) -> None:
    np.savetxt(tmp_path / "c.txt", VALUES, header="regions by regions")
    np.testing.assert_array_equal(read_array(tmp_path / "c.txt").values, VALUES)


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "f2", "i2", "?"])
def test_any_real_type_is_read(tmp_path: Path, dtype: str) -> None:
    array = np.asfortranarray(np.array([[1, 0], [1, 1], [0, 1]]).astype(dtype))
    np.save(tmp_path / "c.npy", array)
    np.testing.assert_array_equal(read_array(tmp_path / "c.npy").values, array.astype(float))


@pytest.mark.parametrize("suffix", [".tsv", ".csv"])
@pytest.mark.parametrize("corner", ["", "region"])
def test_header_and_index_are_labels(tmp_path: Path, suffix: str, corner: str) -> None:
    delimiter = "\t" if suffix == ".tsv" else ","
    square = VALUES[:3]
    lines = [delimiter.join((corner, *NAMES))]
    lines += [
        delimiter.join((name, line))
        for name, line in zip(NAMES, rows_of(square, delimiter), strict=True)
    ]
    raw = read_array(write_lines(tmp_path / f"c{suffix}", lines))
    np.testing.assert_array_equal(raw.values, square)
    assert raw.labels == raw.row_labels == NAMES


def test_a_header_alone_labels_the_columns(tmp_path: Path) -> None:
    lines = ['"L_V1","R_V1","M1 left"', *rows_of(VALUES, ",")]
    raw = read_array(write_lines(tmp_path / "c.csv", lines))
    np.testing.assert_array_equal(raw.values, VALUES)
    assert (raw.labels, raw.row_labels) == (NAMES, None)


def test_an_index_alone_labels_the_rows(tmp_path: Path) -> None:
    lines = [f"{name},{line}" for name, line in zip("abcd", rows_of(VALUES, ","), strict=True)]
    raw = read_array(write_lines(tmp_path / "c.csv", lines))
    np.testing.assert_array_equal(raw.values, VALUES)
    assert (raw.labels, raw.row_labels) == (None, ("a", "b", "c", "d"))


def test_positions_that_pandas_writes_are_no_labels(tmp_path: Path) -> None:
    with_index = [",0,1,2", *(f"{i},{line}" for i, line in enumerate(rows_of(VALUES, ",")))]
    raw = read_array(write_lines(tmp_path / "index.csv", with_index))
    np.testing.assert_array_equal(raw.values, VALUES)
    assert (raw.labels, raw.row_labels) == (None, None)
    raw = read_array(write_lines(tmp_path / "header.csv", ["0,1,2", *rows_of(VALUES, ",")]))
    np.testing.assert_array_equal(raw.values, VALUES)


def test_what_r_writes_is_read(tmp_path: Path) -> None:
    lines = ['"a" "b" "c"', *(f'"{i}" {s}' for i, s in enumerate(rows_of(VALUES, " "), start=1))]
    lines = [line.replace('"', "") for line in lines]
    raw = read_array(write_lines(tmp_path / "c.txt", lines))
    np.testing.assert_array_equal(raw.values, VALUES)
    assert raw.labels == ("a", "b", "c")


def test_an_index_of_times_is_no_region(tmp_path: Path) -> None:
    lines = [",a,b,c", *(f"{i * 0.8},{line}" for i, line in enumerate(rows_of(VALUES, ",")))]
    raw = read_array(write_lines(tmp_path / "s.csv", lines))
    np.testing.assert_array_equal(raw.values, VALUES)
    assert raw.labels == ("a", "b", "c")


def test_a_header_one_name_short_drops_no_column(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "s.csv", ["a,b", *rows_of(VALUES, ",")])
    with pytest.raises(ConnectomeError, match="names 2 columns in its header but holds 3 numbers"):
        read_array(path)


@pytest.mark.parametrize("cell", ["", "n/a", "NaN", "nan", "NA"])
def test_missing_cells_are_nan(tmp_path: Path, cell: str) -> None:
    raw = read_array(write_lines(tmp_path / "c.csv", [f"{cell},0.5,0.1", "0.5,1,0.2"]))
    np.testing.assert_array_equal(raw.values, [[np.nan, 0.5, 0.1], [0.5, 1.0, 0.2]])


def test_byte_order_mark_windows_lines_and_empty_lines_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes(b"\xef\xbb\xbf1,2\r\n\r\n3,4\r\n\r\n")
    np.testing.assert_array_equal(read_array(path).values, [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("key", "kind"),
    [("connectome", "connectome"), ("correlations", "connectome"), ("timeseries", "timeseries")],
)
def test_npz_arrays_are_found_by_name(tmp_path: Path, key: str, kind: str) -> None:
    arrays = {"other": np.zeros((2, 2)), key: VALUES, "labels": np.array(NAMES)}
    np.savez_compressed(tmp_path / "c.npz", **arrays)
    raw = read_array(tmp_path / "c.npz")
    np.testing.assert_array_equal(raw.values, VALUES)
    assert (raw.labels, raw.kind) == (NAMES, kind)


def test_objects_beside_a_named_array_are_left_unread(tmp_path: Path) -> None:
    info = np.array([{"a": 1}], dtype=object)
    np.savez(tmp_path / "c.npz", connectome=VALUES, info=info)
    np.testing.assert_array_equal(read_array(tmp_path / "c.npz").values, VALUES)


# ---- files that are none


def test_missing_files_folders_and_unknown_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConnectomeError, match=r"There is no file at .*none\.npy\. Check the path"):
        read_array(tmp_path / "none.npy")
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(ConnectomeError, match="is a folder, not a file"):
        read_array(tmp_path / "folder.npy")
    (tmp_path / "c.xlsx").write_bytes(b"PK")
    with pytest.raises(ConnectomeError, match=r"ending '\.xlsx', expected one of \.npy, \.npz"):
        read_array(tmp_path / "c.xlsx")
    (tmp_path / "c").write_bytes(b"1")
    with pytest.raises(ConnectomeError, match=r"ending '\(none\)'"):
        read_array(tmp_path / "c")
    with pytest.raises(ConnectomeError, match=r"cannot be read|no file"):
        read_array(tmp_path / ("x" * 5000 + ".npy"))


@pytest.mark.parametrize(
    "name", ["c.csv.gz", "c.tsv.GZ", "c.npy.bz2", "c.pconn.nii.xz", "c.h5.zip"]
)
def test_a_packed_file_is_to_be_unpacked(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    unpacked = re.escape(name.rpartition(".")[0])
    with pytest.raises(ConnectomeError, match=rf"only \.nii\.gz is read\. Unpack it: {unpacked}\."):
        read_array(tmp_path / name)
    (tmp_path / "c.doc.gz").write_bytes(b"x")
    with pytest.raises(ConnectomeError, match=r"ending '\.gz', expected one of \.npy"):
        read_array(tmp_path / "c.doc.gz")


@pytest.mark.parametrize("suffix", READERS)
def test_an_empty_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"c{suffix}"
    path.touch()
    with pytest.raises(ConnectomeError, match=rf"^c\{suffix} is empty\. Check how"):
        read_array(path)


JUNK_IS = {
    ".npy": "not a NumPy array file",
    ".npz": r"not a readable \.npz archive",
    **dict.fromkeys((".tsv", ".csv", ".txt"), "not a text file"),
    ".parquet": "cannot be read as Parquet",
    **dict.fromkeys((".pconn.nii", ".ptseries.nii", ".dtseries.nii", ".nii"), "not a NIfTI file"),
    ".nii.gz": "not compressed with gzip",
    ".mat": "not a MATLAB file",
    **dict.fromkeys((".h5", ".hdf5"), "cannot be read as HDF5"),
}


@pytest.mark.parametrize("suffix", READERS)
def test_binary_junk_is_refused(tmp_path: Path, suffix: str, rng: np.random.Generator) -> None:
    path = tmp_path / f"c{suffix}"
    path.write_bytes(rng.bytes(4096))
    with pytest.raises(ConnectomeError, match=JUNK_IS[suffix]):
        read_array(path)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_any_cut_or_flipped_byte_ends_in_a_sentence(
    tmp_path: Path, suffix: str, rng: np.random.Generator
) -> None:
    path = tmp_path / f"c{suffix}"
    if suffix == ".npy":
        np.save(path, VALUES)
    else:
        np.savez_compressed(path, connectome=VALUES, labels=np.array(NAMES))
    whole = path.read_bytes()
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        with pytest.raises(ConnectomeError):
            read_array(path)
    n_refused = 0
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= int(rng.integers(1, 256))
        path.write_bytes(changed)
        try:
            raw = read_array(path)
        except ConnectomeError:
            n_refused += 1
        else:  # a changed number or an unused byte: still an array
            assert raw.values.ndim == 2
    assert n_refused > 50


def test_python_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "c.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ConnectomeError, match=r"Python objects .* never read"):
        read_array(tmp_path / "c.npy")
    np.savez(tmp_path / "c.npz", a=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ConnectomeError, match=r"c\.npz\[a\] holds Python objects"):
        read_array(tmp_path / "c.npz")


def npy_header(shape: str) -> bytes:
    """A .npy file with this shape and no numbers."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header = header.ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ("(1000000, 1000000)", r"claims 8000\.0 GB \(1000000 x 1000000\); at most 1\.1 GB"),
        ("(100, 100)", "cut short: its header says 100 x 100 of float64"),
        ("(-1, 4)", "is cut short|is not a NumPy array"),
        ("(0, 4)", "is 0 x 4"),
    ],
)
def test_a_header_is_not_believed(tmp_path: Path, shape: str, message: str) -> None:
    path = tmp_path / "c.npy"
    path.write_bytes(npy_header(shape))
    with pytest.raises(ConnectomeError, match=message):
        read_array(path)


def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "c.npz", np.zeros((100, 100)))
    monkeypatch.setattr(plain_files, "MAX_ARRAY_BYTES", 50_000)
    with pytest.raises(ConnectomeError, match="unpacks to"):
        read_array(tmp_path / "c.npz")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 3, 4)), r"is 2 x 3 x 4 \(3-dimensional\)"),
        (np.zeros(5), "1-dimensional"),
        (np.float64(3.0), "is scalar"),
        (np.zeros((2, 2), dtype=complex), "type complex128, expected real"),
        (np.array([["a"]]), "type <U1, expected real"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, array: NDArray[np.generic], message: str) -> None:
    np.save(tmp_path / "c.npy", array)
    with pytest.raises(ConnectomeError, match=message):
        read_array(tmp_path / "c.npy")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"a": VALUES, "b": VALUES},
            r"holds a \(array of float64, 4 x 3\), b \(.*\); expected an array named connectome",
        ),
        ({"a": VALUES[0]}, r"holds a \(array of float64, 3\); expected"),
        ({}, "holds nothing; expected"),
        (
            {"connectome": VALUES, "labels": np.arange(3)},
            r"\[labels\] is an array of int64 of size",
        ),
        (
            {"connectome": VALUES, "labels": np.array([NAMES])},
            r"\[labels\] is a 1 x 3 array of tex",
        ),
        ({"connectome": VALUES, "timeseries": VALUES}, "holds both 'connectome' and 'timeseries'"),
        ({"connectome": np.array(NAMES)}, r"\[connectome\] is an array of <U7, expected a matrix"),
        ({"a": VALUES + 1j}, r"c\.npz\[a\] holds values of type complex128, expected real"),
        ({"a": VALUES, "who": np.array(NAMES)}, "the order of regions may be in 'who', but labels"),
        ({"connectome": VALUES, "nodes": np.array(NAMES)}, "order of regions may be in 'nodes'"),
        ({"connectome": VALUES, "columns": np.array(NAMES)}, "order of regions may be in 'colu"),
        ({"connectome": VALUES, "order": np.arange(3)}, "order of regions may be in 'order'"),
    ],
)
def test_an_archive_without_its_array_is_refused(
    tmp_path: Path, arrays: dict[str, NDArray[np.float64]], message: str
) -> None:
    np.savez(tmp_path / "c.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(ConnectomeError, match=message):
        read_array(tmp_path / "c.npz")


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as archive:
        archive.writestr("readme.md", "hello")
    with pytest.raises(ConnectomeError, match=r"c\.npz\[readme\.md\] is not a NumPy array"):
        read_array(tmp_path / "c.npz")


# ---- text that is no table of numbers


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("c.csv", ["1,0.5", "0.5,x"], "'x' in row 2 of the numbers, column 2, is not a number"),
        ("c.csv", ["a,1,0.5", "b,0.5,x"], "'x' in row 2 of the numbers, column 3"),
        ("c.csv", ["1,0.5", "0.5"], "row 2 of the numbers has 1 values, but row 1 has 2"),
        ("c.tsv", ["1;0.5", "0.5;1"], "'0.5;1' in row 1 .* separate values as the file's ending"),
        ("c.csv", ["1;0,5", "0,5;1"], r"decimals with a comma \('0,5' in its last row\)\. Write"),
        ("c.txt", ['"a";"b"', '1;"-0,5"', "-5,0E-1;1"], "'-5,0E-1' in its last row"),
        ("c.tsv", ["a\tb", "1,0\t0,5"], "'0,5' in row 1 .* decimals with a point"),
        ("c.csv", ["a,b,c"], "a header but no numbers under it"),
        ("c.csv", ["# only", "# this"], "holds only comments"),
        ("c.csv", ["  ", ""], r"c\.csv is empty"),
        ("c.csv", ["a,b,c", "1,2", "3,4"], "names 3 columns in its header but holds 2 numbers"),
    ],
)
def test_bad_text_says_what_is_wrong(
    tmp_path: Path, name: str, lines: list[str], message: str
) -> None:
    with pytest.raises(ConnectomeError, match=message):
        read_array(write_lines(tmp_path / name, lines))


def test_a_text_file_over_the_limit_is_left_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtb_runtime.tables.MAX_TEXT_BYTES", 10)
    path = write_lines(tmp_path / "c.csv", rows_of(VALUES, ","))
    with pytest.raises(ConnectomeError, match="of text; at most"):
        read_array(path)


@pytest.mark.parametrize(
    "write", [lambda f: f.write(b"hello"), lambda f: np.savez(f, VALUES)], ids=["text", "npz"]
)
def test_a_wrong_ending_is_recognized(
    tmp_path: Path, write: Callable[[io.BufferedWriter], object]
) -> None:
    path = tmp_path / "c.npy"
    with path.open("wb") as file:
        write(file)
    with pytest.raises(ConnectomeError, match="not a NumPy array file, or its header is damaged"):
        read_array(path)


def test_a_file_without_permission_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.npy"
    np.save(path, VALUES)

    def refuse(*_: object) -> None:  # as the system does, except to root
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConnectomeError, match="cannot be read: Permission denied"):
        read_array(path)


# ---- nothing that says which region is which is ignored


@pytest.mark.parametrize(("suffix", "delimiter"), [(".csv", ","), (".tsv", "\t"), (".txt", " ")])
def test_names_in_a_comment_above_the_numbers_are_labels(
    tmp_path: Path, suffix: str, delimiter: str
) -> None:
    path = tmp_path / f"c{suffix}"
    names = ("L_V1", "R_V1", "M1")
    np.savetxt(path, VALUES, delimiter=delimiter, header=delimiter.join(names))
    assert read_array(path).labels == names
    np.savetxt(path, VALUES, delimiter=delimiter, header="made by a script in 2024")
    assert read_array(path).labels is None


def test_numbers_that_name_regions_are_no_time_point(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "c.csv", ["1001,1002,2035", *rows_of(VALUES, ",")])
    raw = read_array(path)
    assert raw.labels == ("1001", "1002", "2035")
    np.testing.assert_array_equal(raw.values, VALUES)
    whole = write_lines(tmp_path / "whole.csv", ["1,2,3", "4,5,7", "7,8,9"])
    assert read_array(write_lines(whole, ["5,6,8", "4,5,7", "7,8,9"])).values.shape == (3, 3)


@pytest.mark.parametrize("name", ["region_labels", "names", "roi_names", "ROIs", "regions"])
def test_labels_under_another_name_are_not_ignored(tmp_path: Path, name: str) -> None:
    path = tmp_path / "c.npz"
    arrays: dict[str, NDArray[np.generic]] = {"connectome": VALUES, name: np.array(NAMES)}
    np.savez(path, **arrays)
    with pytest.raises(ConnectomeError, match=f"{name}.*labels are read from 'labels' alone"):
        read_array(path)
    np.savez(path, **arrays, labels=np.array(NAMES))
    assert read_array(path).labels == NAMES


def test_single_values_beside_an_array_name_no_regions(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    np.savez(path, connectome=VALUES, n_regions=np.array(3), atlas_name=np.array("tiny"))
    assert read_array(path).labels is None


def test_an_array_is_read_by_the_name_that_is_given(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    objects = np.array([{"a": 1}], dtype=object)
    np.savez(path, connectome=VALUES / 2, fc=VALUES, info=objects, labels=np.array(NAMES))
    raw = read_array(path, Reading(variable="fc"))
    np.testing.assert_array_equal(raw.values, VALUES)
    assert (raw.labels, raw.kind) == (NAMES, None)
    with pytest.raises(
        ConnectomeError, match=r"no array 'no' in c\.npz, which holds connectome, fc"
    ):
        read_array(path, Reading(variable="no"))


# ---- one triangle of a matrix, as a list


@pytest.mark.parametrize(
    ("suffix", "n"),
    [(suffix, 66) for suffix in (".npy", ".npz", ".csv", ".tsv", ".txt")]
    + [(".npy", 64620), (".txt", 64620), (".npy", 124750), (".csv", 124750)],
)
@pytest.mark.parametrize("shape", [(1, -1), (-1, 1), (-1,)])
def test_a_triangle_as_a_list_is_named_as_such(
    tmp_path: Path, suffix: str, n: int, shape: tuple[int, ...]
) -> None:
    path, numbers = tmp_path / f"c{suffix}", np.full(n, 0.5).reshape(shape)
    if suffix == ".npy":
        np.save(path, numbers)
    elif suffix == ".npz":
        np.savez(path, numbers, who=np.array("me"))
    else:
        delimiter = {".csv": ",", ".tsv": "\t"}.get(suffix, " ")
        path.write_text((delimiter if shape[0] == 1 else "\n").join(["0.5"] * n))
    n_regions = {66: 12, 64620: 360, 124750: 500}[n]
    message = (
        f"is a list of {n} numbers, as many as one triangle of a {n_regions} x {n_regions} matrix "
        rf"has \(or of {n_regions - 1} x {n_regions - 1} with its diagonal\)"
    )
    with pytest.raises(ConnectomeError, match=message):
        read_connectome(path)


def test_the_advice_for_triangles_makes_the_matrix(rng: np.random.Generator) -> None:
    distance = pytest.importorskip("scipy.spatial.distance")
    matrix = np.corrcoef(rng.normal(size=(8, 30)))
    numbers = matrix[np.triu_indices(8, k=1)]
    whole = distance.squareform(numbers)
    found = Connectome.from_matrix(whole)
    np.testing.assert_allclose(found.correlations, matrix, atol=1e-7)
    with pytest.raises(ConnectomeError, match=r"scipy\.spatial\.distance\.squareform"):
        Connectome.from_matrix(numbers)


@pytest.mark.parametrize("shape", [(3,), (12,), (1, 500), (67, 1)])
def test_other_lists_are_not_taken_for_a_triangle(tmp_path: Path, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "c.npy", np.zeros(shape))
    with pytest.raises(ConnectomeError) as caught:
        read_connectome(tmp_path / "c.npy")
    assert "triangle" not in str(caught.value)


# ---- time series that are regions by time


@pytest.mark.parametrize("suffix", [".csv", ".npz"])
def test_series_are_turned_where_names_say_so(
    tmp_path: Path, suffix: str, rng: np.random.Generator
) -> None:
    series = rng.normal(size=(40, 3))
    path = tmp_path / f"s{suffix}"
    if suffix == ".csv":
        lines = [f"{name},{row}" for name, row in zip(NAMES, rows_of(series.T, ","), strict=True)]
        write_lines(path, lines)
    else:
        np.savez(path, timeseries=series.T, labels=np.array(NAMES))
    found = read_connectome(path, Reading(timeseries=suffix == ".csv"))
    np.testing.assert_allclose(found.correlations, np.corrcoef(series.T), atol=1e-6)
    assert (found.labels, found.n_timepoints) == (NAMES, 40)
    assert found.notes == (
        f"{path.name} names its 3 rows (L_V1, R_V1, M1 left) and not its 40 columns, so it was "
        "taken for regions by time and turned.",
    )


def test_numbers_beside_the_rows_of_series_count_time_points(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    """As pandas writes a table without the frames that moved."""
    pd = pytest.importorskip("pandas", reason="the table is written with pandas")
    series = pd.DataFrame(rng.normal(size=(40, 3))).drop([5, 9])
    series.to_csv(tmp_path / "s.csv")
    found = read_connectome(tmp_path / "s.csv", Reading(timeseries=True))
    expected = np.corrcoef(series.to_numpy().T)
    np.testing.assert_allclose(found.correlations, expected, atol=1e-6)
    assert (found.labels, found.n_timepoints) == (None, 38)
    assert found.notes == (
        "The numbers beside the rows of s.csv were taken for an index of time points.",
    )


def test_series_are_left_as_they_are_where_names_do_not_tell(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    series = rng.normal(size=(3, 3))
    np.savez(tmp_path / "s.npz", timeseries=series, labels=np.array(NAMES))
    np.testing.assert_array_equal(read_array(tmp_path / "s.npz").values, series)
    np.savez(tmp_path / "s.npz", timeseries=series[:2], labels=np.array([*NAMES, "x"]))
    with pytest.raises(ConnectomeError, match="has 4 labels for 3 regions"):
        read_connectome(tmp_path / "s.npz")
    lines = [f"t{i},{row}" for i, row in enumerate(rows_of(VALUES, ","))]
    raw = read_array(
        write_lines(tmp_path / "c.csv", ["time,a,b,c", *lines]), Reading(timeseries=True)
    )
    assert (raw.labels, raw.values.shape, raw.notes) == (("a", "b", "c"), (4, 3), ())


def test_runs_are_averaged_as_the_documentation_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    monkeypatch.chdir(tmp_path)
    matrices = [np.corrcoef(rng.normal(size=(3, 30))) for _ in range(2)]
    for run, matrix in enumerate(matrices, start=1):
        lines = ["\t".join(NAMES), *rows_of(matrix, "\t")]
        write_lines(tmp_path / f"sub-01_run-{run}_relmat.tsv", lines)
    page = (Path(__file__).parents[2] / "docs" / "files.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    exec(compile(block, "files.md", "exec"), {})
    found = read_connectome("sub-01.npz")
    off_diagonal = ~np.eye(3, dtype=bool)
    expected = np.tanh(sum(np.arctanh(m[off_diagonal]) for m in matrices) / 2)
    np.testing.assert_allclose(found.correlations[off_diagonal], expected, atol=1e-6)
    assert (found.labels, found.notes) == (NAMES, ())


def test_two_connectomes_in_one_archive_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "c.npz", connectome=VALUES, correlations=VALUES / 2)
    with pytest.raises(ConnectomeError, match="holds both 'connectome' and 'correlations'"):
        read_array(tmp_path / "c.npz")


@pytest.mark.parametrize("cell", ["0_5", "1_0.0"])
def test_numbers_written_as_code_are_refused(tmp_path: Path, cell: str) -> None:
    path = write_lines(tmp_path / "c.csv", [f"1,{cell},0", "0,1,0"])
    with pytest.raises(ConnectomeError, match=f"'{cell}' in row 1 of the numbers, column 2"):
        read_array(path)


def test_a_quote_that_is_never_closed_swallows_no_rows(tmp_path: Path) -> None:
    lines = ['a,b,"c', *rows_of(VALUES[:, :3], ",")]
    with pytest.raises(ConnectomeError, match="Check its quotes and separators"):
        read_array(write_lines(tmp_path / "c.csv", lines))


def test_a_long_bad_cell_is_shown_in_part(tmp_path: Path) -> None:
    lines = ["|".join(["0.5"] * 400)] * 2
    with pytest.raises(ConnectomeError, match=r"'0\.5\|.*\.\.\.' in row 1") as caught:
        read_array(write_lines(tmp_path / "c.csv", lines))
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("name", "reading", "option"),
    [
        ("c.npy", Reading(variable="c"), "--variable"),
        ("c.tsv", Reading(denoise="simple"), "--denoise"),
        ("c.csv", Reading(atlas="atlas.nii"), "--atlas"),
        ("c.npz", Reading(atlas_labels="names.tsv"), "--atlas-labels"),
        ("c.mat", Reading(resample=True), "--resample"),
    ],
)
def test_an_option_that_does_nothing_is_refused(
    tmp_path: Path, name: str, reading: Reading, option: str
) -> None:
    (tmp_path / name).write_bytes(b"1")
    with pytest.raises(ConnectomeError, match=rf"{name}: {option} does nothing with a file that"):
        read_array(tmp_path / name, reading)
