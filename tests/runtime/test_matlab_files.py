"""MATLAB files: what scipy (and MATLAB itself) wrote is read, the rest is refused in a sentence."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.connectome import Connectome
from dtb_runtime.errors import ConnectomeError, MissingDependencyError
from dtb_runtime.matlab_files import read_matlab
from dtb_runtime.raw_array import RawArray
from dtb_runtime.readers import read_array
from dtb_runtime.reading import Reading

h5py = pytest.importorskip("h5py", reason="h5py is an extra")
scipy_io = pytest.importorskip("scipy.io", reason="scipy is an extra")
sparse = pytest.importorskip("scipy.sparse", reason="scipy is an extra")

NAMES = ("networks.DefaultMode.MPFC (1,55,-3)", "atlas.FP r (Frontal Pole Right)", "Größe")
FURTHER = ("White Matter", "CSF")
Z = np.array(
    [[np.nan, 0.25, -0.5, 0.1, 0.2], [0.25, np.nan, 1.5, 0.3, 0.4], [-0.5, 1.5, np.nan, 0, 1]]
)
VALUES = np.array([[1.0, 0.25, -0.5], [0.3, 1.0, 0.125], [-0.5, 0.125, 1.0], [0.0, 2.5e-3, 7.0]])


def cells(names: tuple[str, ...]) -> NDArray[np.object_]:
    """A cell array of char, 1 x n, as savemat writes it."""
    return np.array([*names, None], dtype=object)[:-1].reshape(1, -1)


def conn(**changes: Any) -> dict[str, Any]:
    """The variables of a CONN file."""
    n = len(NAMES)
    return {
        "Z": Z[:, :n],
        "regressors": np.zeros((1, n)),
        "names": cells(NAMES),
        "names2": cells(NAMES),
        "xyz": np.zeros((1, n)),
        "SE": np.ones((n, n)),
        "DOF": 150.0,
        **changes,
    }


def read(path: Path, variable: str | None = None) -> RawArray:
    """Read without a process in between."""
    return read_matlab(path, Reading(variable=variable))


def saved(path: Path, **variables: Any) -> Path:
    """A file of version 7, as scipy writes it."""
    scipy_io.savemat(path, variables, do_compression=True)
    return path


class V73:
    """Writes what MATLAB 7.3 writes, imitated with h5py: MATLAB itself is not at hand.

    512 bytes of text before the HDF5, arrays transposed, their class as an attribute, and the
    contents of cells as references to data sets in ``#refs#``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = h5py.File(path, "w", userblock_size=512)
        self._refs = self.file.create_group("#refs#")

    def matrix(self, name: str, values: NDArray[Any], matlab_class: str = "double") -> None:
        """A matrix of numbers."""
        self.file[name] = np.asarray(values).T
        self.file[name].attrs["MATLAB_class"] = np.bytes_(matlab_class)

    def text(self, name: str, rows: tuple[str, ...]) -> Any:
        """A char array: UTF-16 code units, as many for each row."""
        codes = np.array([np.frombuffer(row.encode("utf-16-le"), "<u2") for row in rows])
        empty = codes.size == 0
        self.file[name] = np.array([0, 0], np.uint64) if empty else codes.T
        attributes = self.file[name].attrs
        attributes["MATLAB_class"] = np.bytes_("char")
        attributes["MATLAB_int_decode"] = np.int32(2)
        if empty:
            attributes["MATLAB_empty"] = np.uint8(1)
        return self.file[name]

    def cells(self, name: str, texts: tuple[str, ...]) -> None:
        """A cell array of char, 1 x n."""
        data_set = self.file.create_dataset(name, (len(texts), 1), h5py.ref_dtype)
        for place, text in enumerate(texts):
            one = self.text(f"#refs#/{name.replace('/', '_')}{place}", (text,))
            data_set[place, 0] = one.ref
        data_set.attrs["MATLAB_class"] = np.bytes_("cell")

    def struct(self, name: str) -> None:
        """A struct, whose fields are what is written as ``name/field``."""
        self.file.create_group(name).attrs["MATLAB_class"] = np.bytes_("struct")

    def close(self) -> Path:
        """The finished file."""
        self.file.close()
        text = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 00:00:00 2024 "
        text += b"HDF5 schema 1.00 ."
        with self.path.open("r+b") as file:
            file.write(text.ljust(116) + bytes(8) + b"\x00\x02IM")
        return self.path


def element(kind: int, data: bytes) -> bytes:
    """One element of a file of version 5."""
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def variable(
    name: str, matlab_class: int, shape: tuple[int, ...], numbers: bytes, flags: int = 0
) -> bytes:
    """One variable of a file of version 5, with these bytes as its numbers."""
    head = element(6, struct.pack("<II", matlab_class | flags, 0))
    lengths = element(5, struct.pack(f"<{len(shape)}i", *shape))
    return element(14, head + lengths + element(1, name.encode()) + numbers)


def object_named(name: str) -> bytes:
    """What MATLAB writes for a string array or a table: class 17, without lengths."""
    content = variable("", 13, (6, 1), element(6, bytes(24)))
    parts = element(1, name.encode()) + element(1, b"MCOS") + element(1, b"string") + content
    return element(14, element(6, struct.pack("<II", 17, 0)) + parts)


HEADER = b"MATLAB 5.0 MAT-file, made by a test".ljust(116) + bytes(8) + b"\x00\x01IM"


# ---- CONN


@pytest.mark.parametrize("version", ["7", "7.3 imitated"])
def test_conn_writes_fisher_z_with_names(tmp_path: Path, version: str) -> None:
    path = tmp_path / "resultsROI_Subject001_Condition001.mat"
    if version == "7":
        saved(path, **conn())
    else:
        writer = V73(path)
        writer.matrix("Z", Z[:, :3])
        writer.matrix("SE", np.ones((3, 3)))
        writer.cells("names", NAMES)
        writer.cells("names2", NAMES)
        writer.close()
    raw = read(path)
    np.testing.assert_array_equal(raw.values, Z[:, :3])
    assert (raw.kind, raw.scale, raw.why) == ("connectome", "z", "CONN writes Fisher z in Z")
    assert raw.labels == NAMES
    assert raw.notes == ()
    assert read(path, "Z").labels == NAMES


def test_a_conn_file_becomes_correlations(tmp_path: Path) -> None:
    raw = read(saved(tmp_path / "c.mat", **conn()))
    found = Connectome.from_matrix(raw.values, labels=raw.labels, fisher_z=True)
    expected = np.tanh(np.where(np.eye(3), 0, Z[:, :3])) + np.eye(3)
    np.testing.assert_allclose(found.correlations, expected, atol=1e-7)


def test_further_targets_of_conn_are_left_out_and_noted(tmp_path: Path) -> None:
    path = saved(tmp_path / "c.mat", **conn(Z=Z, names2=cells(NAMES + FURTHER)))
    raw = read(path)
    np.testing.assert_array_equal(raw.values, Z[:, :3])
    assert raw.labels == NAMES
    assert raw.notes == ("c.mat has 5 targets for 3 sources; the further 2 were left out.",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names2": cells(NAMES[::-1])}, r"the first 3 targets \(names2\) are not the 3 sources"),
        ({"Z": Z}, r"c\.mat\[Z\] is 3 x 5, but the file names 3 sources and 3 targets"),
        ({"names": cells(NAMES[:2])}, "names 2 sources and 3 targets"),
        ({"names": np.array([[1, "a", "b"]], dtype=object)}, r"\[names\], cell 1 holds no text"),
        ({"Z": np.zeros((3, 3), complex) + 1j}, "type complex128, expected real"),
    ],
)
def test_conn_files_that_do_not_fit_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConnectomeError, match=message):
        read(saved(tmp_path / "c.mat", **conn(**changes)))


def test_a_group_file_of_conn_is_named_as_such(tmp_path: Path) -> None:
    path = saved(tmp_path / "resultsROI_Condition001.mat", **conn(Z=np.zeros((3, 3, 20))))
    with pytest.raises(ConnectomeError, match=r"is 3 x 3 x 20, as in CONN's file of a whole group"):
        read(path)


# ---- a matrix by name


@pytest.mark.parametrize("compressed", [True, False])
def test_the_only_matrix_is_read(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "c.mat"
    variables = {"fc": VALUES, "TR": 0.8, "n_regions": 3, "onsets": np.arange(9), "note": "hi"}
    scipy_io.savemat(path, variables, do_compression=compressed)
    raw = read(path)
    np.testing.assert_array_equal(raw.values, VALUES)
    assert raw.values.dtype == np.float64
    assert (raw.labels, raw.kind, raw.scale) == (None, None, None)


@pytest.mark.parametrize(
    "values", [VALUES.astype("f4"), (VALUES * 8).astype("i2"), VALUES > 0, VALUES.astype(">f8")]
)
def test_numbers_of_any_type_are_read(tmp_path: Path, values: NDArray[np.generic]) -> None:
    raw = read(saved(tmp_path / "c.mat", fc=values))
    np.testing.assert_array_equal(raw.values, values.astype(np.float64))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("connectome", "connectome"), ("correlations", "connectome"), ("timeseries", "timeseries")],
)
def test_matrices_are_found_by_name(tmp_path: Path, name: str, kind: str) -> None:
    raw = read(saved(tmp_path / "c.mat", other=np.ones((5, 5)), **{name: VALUES}))
    np.testing.assert_array_equal(raw.values, VALUES)
    assert raw.kind == kind


def test_a_named_variable_is_read(tmp_path: Path) -> None:
    path = saved(tmp_path / "c.mat", a=VALUES, b=VALUES * 2)
    np.testing.assert_array_equal(read(path, "b").values, VALUES * 2)
    with pytest.raises(ConnectomeError, match=r"no variable 'c' in c\.mat, which holds a \(matrix"):
        read(path, "c")
    with pytest.raises(ConnectomeError, match=r"holds a \(.*4 x 3\), b .* name it with --variable"):
        read(path)
    both = saved(tmp_path / "both.mat", connectome=VALUES, correlations=VALUES)
    with pytest.raises(ConnectomeError, match="holds both 'connectome' and 'correlations'"):
        read(both)


def test_a_sparse_matrix_is_filled(tmp_path: Path) -> None:
    values = np.where(np.abs(VALUES) > 0.2, VALUES, 0.0)
    np.testing.assert_array_equal(
        read(saved(tmp_path / "c.mat", fc=sparse.csc_matrix(values))).values, values
    )


@pytest.mark.parametrize(
    "labels",
    [cells(("a", "Größe", "c 1")), cells(("a", "Größe", "c 1")).T, ["a    ", "Größe", "c 1  "]],
    ids=["row of cells", "column of cells", "char matrix"],
)
def test_labels_beside_it_are_read(tmp_path: Path, labels: Any) -> None:
    raw = read(saved(tmp_path / "c.mat", fc=VALUES, labels=labels))
    assert raw.labels == ("a", "Größe", "c 1")


@pytest.mark.parametrize(
    "beside",
    [
        {"roi_names": cells(NAMES)},
        {"regionLabels": cells(NAMES)},
        {"whatever": cells(NAMES)},
        {"areas": ["aa", "bb", "cc"]},
        {"rois": np.array([11, 12, 13])},
    ],
)
def test_labels_under_another_name_are_not_ignored(tmp_path: Path, beside: dict[str, Any]) -> None:
    (name,) = beside
    path = saved(tmp_path / "c.mat", fc=VALUES, **beside)
    with pytest.raises(ConnectomeError, match=f"order of regions may be in '{name}', but labels"):
        read(path)
    with pytest.raises(ConnectomeError, match="labels are read from 'labels' alone"):
        read(path, "fc")
    path = saved(tmp_path / "c.mat", fc=VALUES, labels=cells(("x", "y", "z")), **beside)
    assert read(path, "fc").labels == ("x", "y", "z")


@pytest.mark.parametrize("name", ["labels", "roi_names"])
def test_a_string_array_of_names_is_not_ignored(tmp_path: Path, name: str) -> None:
    path = tmp_path / "c.mat"
    scipy_io.savemat(path, {"fc": VALUES})
    path.write_bytes(path.read_bytes() + object_named(name))
    message = r"\[labels\] is a MATLAB object" if name == "labels" else "may be in 'roi_names'"
    with pytest.raises(ConnectomeError, match=message):
        read(path)


def test_an_object_beside_the_matrix_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "c.mat"
    scipy_io.savemat(path, {"fc": VALUES})
    whole = path.read_bytes()
    path.write_bytes(HEADER + object_named("participants") + whole[128:])
    np.testing.assert_array_equal(read(path).values, VALUES)
    with pytest.raises(ConnectomeError, match=r"\[participants\] is a MATLAB object .*, expected"):
        read(path, "participants")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": 1, "b": 2}, r"c\.mat\[x\] is a struct, expected a matrix"),
        (cells(NAMES), r"c\.mat\[x\] is a cell array, expected a matrix"),
        ("text", r"c\.mat\[x\] is a char array"),
        (np.ones((2, 3, 4)), r"is 2 x 3 x 4 \(3-dimensional\)"),
        (np.zeros((0, 4)), "is 0 x 4"),
        (VALUES + 1j, "type complex128"),
    ],
)
def test_what_is_no_matrix_is_refused(tmp_path: Path, value: Any, message: str) -> None:
    with pytest.raises(ConnectomeError, match=message):
        read(saved(tmp_path / "c.mat", x=value), "x")


def test_labels_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "c.mat", fc=VALUES, labels=np.arange(3))
    with pytest.raises(ConnectomeError, match=r"\[labels\] is a matrix of class int64 of size"):
        read(path)
    mixed = np.array([["a", np.ones(2), "c"]], dtype=object)
    with pytest.raises(ConnectomeError, match=r"\[labels\], cell 2 holds no text"):
        read(saved(tmp_path / "c.mat", fc=VALUES, labels=mixed))


# ---- fields of structs


def with_structs(path: Path, version: str) -> Path:
    """A file whose matrices stand in structs, one of them in another."""
    if version == "7":
        deep = {"timeseries": VALUES * 2, "labels": cells(("a", "b", "c")), "note": "hello"}
        return saved(path, sub={"fc": VALUES, "labels": cells(NAMES), "deep": deep, "n": 3})
    writer = V73(path)
    writer.struct("sub")
    writer.matrix("sub/fc", VALUES)
    writer.cells("sub/labels", NAMES)
    writer.matrix("sub/n", np.array([[3]]))
    writer.struct("sub/deep")
    writer.matrix("sub/deep/timeseries", VALUES * 2)
    writer.cells("sub/deep/labels", ("a", "b", "c"))
    writer.text("sub/deep/note", ("hello",))
    return writer.close()


@pytest.mark.parametrize("version", ["7", "7.3 imitated"])
def test_a_field_of_a_struct_is_read_by_its_name(tmp_path: Path, version: str) -> None:
    path = with_structs(tmp_path / "c.mat", version)
    raw = read(path, "sub.fc")
    np.testing.assert_array_equal(raw.values, VALUES)
    assert (raw.labels, raw.kind) == (NAMES, None)
    raw = read(path, "sub.deep.timeseries")
    np.testing.assert_array_equal(raw.values, VALUES * 2)
    assert (raw.labels, raw.kind) == (("a", "b", "c"), "timeseries")


@pytest.mark.parametrize("version", ["7", "7.3 imitated"])
@pytest.mark.parametrize(
    ("variable", "message"),
    [
        (None, r"holds sub \(struct, .*--variable \(a field of a struct as sub\.FIELD\)\.$"),
        ("sub", r"\[sub\] is a struct, .*with --variable: .*sub\.fc \(matrix of .*, 4 x 3\)"),
        ("sub.deep", r"\[sub\.deep\] is a struct, .*with --variable: .*sub\.deep\.timeseries \("),
        ("sub.fd", r"no variable 'sub\.fd' in c\.mat, which holds .*sub\.fc \(matrix of"),
        ("sub.fc.x", r"no variable 'sub\.fc\.x' in c\.mat, which holds"),
        ("sub.labels", r"\[sub\.labels\] is a cell array, expected a matrix"),
        ("sub.deep.note", r"\[sub\.deep\.note\] is a char array, expected a matrix"),
        ("sub.n", r"is 1 x 1|no field"),
        (".", r"no variable '\.' in c\.mat, which holds sub"),
    ],
)
def test_what_else_stands_in_a_struct_is_told(
    tmp_path: Path, version: str, variable: str | None, message: str
) -> None:
    path = with_structs(tmp_path / "c.mat", version)
    if variable == "sub.n":
        assert read(path, variable).values.tolist() == [[3.0]]  # refused as no connectome
        return
    with pytest.raises(ConnectomeError, match=message):
        read(path, variable)


@pytest.mark.parametrize("name", ["roi_names", "labels"])
def test_names_beside_a_struct_are_not_ignored(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path / "c.mat", sub={"fc": VALUES}, **{name: cells(NAMES)})
    with pytest.raises(ConnectomeError, match=rf"in '{name}', .*Rename it to sub\.labels, or"):
        read(path, "sub.fc")


def test_arrays_of_structs_have_no_fields_to_name(tmp_path: Path) -> None:
    people = np.zeros((1, 2), dtype=[("fc", object)])
    people["fc"][0] = [VALUES, VALUES]
    path = saved(tmp_path / "c.mat", people=people, sub={"people": people})
    for name in ("people", "sub.people"):
        with pytest.raises(ConnectomeError, match=rf"\[{name}\] is an array of 1 x 2 structs"):
            read(path, f"{name}.fc")


def test_a_struct_under_a_name_of_a_matrix_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "c.mat", connectome={"fc": VALUES})
    with pytest.raises(ConnectomeError, match=r"with --variable: connectome\.FIELD\.$"):
        read(path)


def test_sparse_fields_and_odd_ones(tmp_path: Path) -> None:
    sub = {"fc": sparse.csc_matrix(VALUES), "big": np.ones((2, 3, 4)), "none": {}}
    path = saved(tmp_path / "c.mat", sub=sub)
    np.testing.assert_array_equal(read(path, "sub.fc").values, VALUES)
    with pytest.raises(ConnectomeError, match=r"c\.mat\[sub\.big\] is 2 x 3 x 4"):
        read(path, "sub.big")
    with pytest.raises(ConnectomeError, match=r"\[sub\.none\] is a"):
        read(path, "sub.none")


def test_links_in_a_struct_of_version_7_3_are_refused(tmp_path: Path) -> None:
    writer = V73(tmp_path / "c.mat")
    writer.struct("sub")
    writer.file["sub/fc"] = h5py.ExternalLink("other.mat", "/fc")
    with pytest.raises(ConnectomeError, match=r"'sub\.fc' in c\.mat is a link to elsewhere"):
        read(writer.close(), "sub.fc")


def test_structs_by_matlab_are_read(by_matlab: Path) -> None:
    path = by_matlab / "teststruct_7.4_GLNX86.mat"
    raw = read(path, "teststruct.doublefield")
    np.testing.assert_allclose(raw.values, [[np.sqrt(2), np.e, np.pi]], rtol=1e-15)


def test_a_damaged_struct_is_one_sentence(tmp_path: Path, rng: np.random.Generator) -> None:
    """Also where scipy crashes at it: it is read in a process of its own."""
    path = tmp_path / "c.mat"
    scipy_io.savemat(path, {"sub": {"fc": VALUES, "labels": cells(NAMES)}})
    whole = path.read_bytes()
    n_refused = 0
    for place in (*range(144, 168, 4), len(whole) // 2):  # dimensions, and lengths of names
        path.write_bytes(whole[:place] + rng.bytes(4) + whole[place + 4 :])
        try:
            assert read_array(path, Reading(variable="sub.fc")).values.size
        except ConnectomeError as error:
            assert str(error).isprintable()
            n_refused += 1
    assert n_refused > 2


# ---- version 7.3, imitated


def test_a_matrix_of_version_7_3_is_turned_back(tmp_path: Path) -> None:
    writer = V73(tmp_path / "c.mat")
    writer.matrix("fc", VALUES)
    writer.matrix("TR", np.array([[0.8]]))
    writer.cells("labels", ("a", "", "Größe"))
    path = writer.close()
    assert path.read_bytes()[:19] == b"MATLAB 7.3 MAT-file"
    raw = read(path)
    np.testing.assert_array_equal(raw.values, VALUES)
    assert raw.labels == ("a", "", "Größe")
    assert (raw.kind, raw.scale) == (None, None)


def test_a_char_matrix_of_version_7_3_has_a_name_in_each_row(tmp_path: Path) -> None:
    writer = V73(tmp_path / "c.mat")
    writer.matrix("timeseries", VALUES.astype("f4"), "single")
    writer.text("labels", ("a    ", "Größe", "c 1  "))
    raw = read(writer.close())
    np.testing.assert_array_equal(raw.values, VALUES.astype("f4"))
    assert raw.labels == ("a", "Größe", "c 1")
    assert raw.kind == "timeseries"


def test_other_classes_of_version_7_3_are_refused(tmp_path: Path) -> None:
    writer = V73(tmp_path / "c.mat")
    writer.matrix("fc", VALUES)
    writer.file.create_group("s").attrs["MATLAB_class"] = np.bytes_("struct")
    writer.file.create_group("sparse").attrs["MATLAB_sparse"] = np.uint64(3)
    writer.matrix("names", np.zeros((1, 6), np.uint32), "string")
    writer.file["names"].attrs["MATLAB_object_decode"] = np.int32(3)
    writer.matrix("complex", np.ones((3, 3), complex))
    path = writer.close()
    expected = {
        "s": r"\[s\] is a struct",
        "sparse": r"\[sparse\] is a sparse matrix in version 7\.3 \(save full\(x\)\)",
        "names": r"\[names\] is a MATLAB object of class string",
        "complex": r"\[complex\] is a variable of class double",
        "fc": "order of regions may be in 'names'",
    }
    for name, message in expected.items():
        with pytest.raises(ConnectomeError, match=message):
            read(path, name)


def test_links_in_version_7_3_are_refused(tmp_path: Path) -> None:
    writer = V73(tmp_path / "c.mat")
    writer.matrix("fc", VALUES)
    writer.file["elsewhere"] = h5py.ExternalLink("other.mat", "/fc")
    with pytest.raises(ConnectomeError, match=r"'elsewhere' in c\.mat is a link to elsewhere"):
        read(writer.close())


@pytest.mark.parametrize("what", ["number", "null", "struct", "data set of references"])
def test_cells_without_text_are_refused(tmp_path: Path, what: str) -> None:
    writer = V73(tmp_path / "c.mat")
    writer.matrix("fc", VALUES)
    writer.cells("labels", ("a", "b", "c"))
    writer.matrix("#refs#/n", np.ones((1, 1)))
    targets = {
        "number": writer.file["#refs#/n"].ref,
        "null": h5py.Reference(),
        "struct": writer.file["#refs#"].ref,
        "data set of references": writer.file["labels"].ref,
    }
    writer.file["labels"][1, 0] = targets[what]
    with pytest.raises(ConnectomeError, match=r"\[labels\], cell 2 holds no text"):
        read(writer.close())


def test_an_empty_matrix_of_version_7_3_is_refused(tmp_path: Path) -> None:
    writer = V73(tmp_path / "c.mat")
    writer.matrix("fc", np.array([[0, 0]], np.uint64))
    writer.file["fc"].attrs["MATLAB_empty"] = np.uint8(1)
    with pytest.raises(ConnectomeError, match="is 0 x 0"):
        read(writer.close(), "fc")


# ---- files that MATLAB itself wrote: those of scipy's own tests


@pytest.fixture
def by_matlab() -> Path:
    """The folder of scipy's test files."""
    folder = Path(scipy_io.__file__).parent / "matlab/tests/data"
    if not folder.is_dir():
        pytest.skip("scipy is installed without its tests, whose files MATLAB wrote")
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "testmatrix_6.1_SOL2",
        "testmatrix_7.4_GLNX86",
        "testsparse_6.1_SOL2",
        "testsparse_7.4_GLNX86",
    ],
)
def test_matrices_by_matlab_are_read(by_matlab: Path, name: str) -> None:
    raw = read(by_matlab / f"{name}.mat")
    expected = np.zeros((3, 5))
    expected[0], expected[:, 0] = np.arange(1, 6), np.arange(1, 4)
    np.testing.assert_array_equal(raw.values, expected)


def test_version_7_3_by_matlab_is_read(by_matlab: Path) -> None:
    raw = read(by_matlab / "testhdf5_7.4_GLNX86.mat", "testdouble")
    np.testing.assert_allclose(raw.values, [np.arange(9) * np.pi / 4], rtol=1e-15)


@pytest.mark.parametrize(
    ("name", "variable", "message"),
    [
        ("testobject_7.4_GLNX86", "testobject", "is a MATLAB object, expected"),
        ("testfunc_7.4_GLNX86", "testfunc", "is a function handle, expected"),
        ("teststruct_7.4_GLNX86", "teststruct", "is a struct, expected"),
        ("testsparsecomplex_7.4_GLNX86", None, "type complex128"),
        ("some_functions", None, "or only one matrix of numbers"),
        ("testmatrix_4.2c_SOL2", None, "is not a MATLAB file of version 5 to 7.3"),
        ("corrupted_zlib_data", "datagrid", "cannot be read as a MATLAB file"),
        ("malformed1", None, "header of a variable is cut short"),
    ],
)
def test_other_files_by_matlab_are_refused(
    by_matlab: Path, name: str, variable: str | None, message: str
) -> None:
    with pytest.raises(ConnectomeError, match=message):
        read(by_matlab / f"{name}.mat", variable)


def test_headers_are_those_that_scipy_finds(by_matlab: Path) -> None:
    from dtb_runtime.matlab_headers import headers_of

    n_files = 0
    for path in sorted(by_matlab.glob("test*_[67].[14]_*.mat")):
        if "hdf5" in path.name:
            continue
        expected = [(name, shape) for name, shape, _ in scipy_io.whosmat(path)]
        expected = [each for each in expected if each[0] != "__function_workspace__"]
        assert [(each.name, each.shape) for each in headers_of(path)] == expected
        n_files += 1
    assert n_files > 30


# ---- damaged and hostile files


def test_what_is_no_matlab_file_is_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    path = tmp_path / "c.mat"
    for content in (b"hello", rng.bytes(4096), bytes(4096), b"/annex/objects/SHA256E-s1234"):
        path.write_bytes(content)
        with pytest.raises(ConnectomeError, match=r"^c\.mat is not a MATLAB file of version 5"):
            read(path)


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "c.mat", fc=np.random.default_rng(0).random((50, 50)))
    whole = path.read_bytes()
    for end in (130, 140, 200, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(ConnectomeError, match=r"^c\.mat"):
            read(path)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((100_000, 5_000), r"c\.mat\[fc\] claims 4\.0 GB \(100000 x 5000\); at most 1\.1 GB"),
        ((2**31 - 1, 2**31 - 1), r"c\.mat\[fc\] is 2147483647 x .*at most 5000 columns"),
        ((-5, 5), "claims the size -5 x 5"),
    ],
)
@pytest.mark.parametrize("compressed", [True, False])
def test_claimed_sizes_are_checked_before_memory_is_asked_for(
    tmp_path: Path, shape: tuple[int, int], message: str, compressed: bool
) -> None:
    path = tmp_path / "c.mat"
    stored = variable("fc", 6, shape, element(9, bytes(64)))
    if compressed:
        stored = struct.pack("<II", 15, len(zlib.compress(stored))) + zlib.compress(stored)
    path.write_bytes(HEADER + stored)
    with pytest.raises(ConnectomeError, match=message):
        read(path, "fc")


def test_a_sparse_matrix_with_places_outside_of_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.mat"
    scipy_io.savemat(path, {"fc": sparse.csc_matrix(np.diag([1.0, 2.0, 3.0]))})
    whole = path.read_bytes()
    rows = element(5, struct.pack("<3i", 0, 1, 2))
    assert whole.count(rows) == 1
    path.write_bytes(whole.replace(rows, element(5, struct.pack("<3i", 0, 1, 2**30))))
    with pytest.raises(ConnectomeError, match="cannot be read as a MATLAB file"):
        read(path)


def test_two_variables_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.mat"
    one = variable("fc", 6, (2, 2), element(9, bytes(32)))
    path.write_bytes(HEADER + one + one)
    with pytest.raises(ConnectomeError, match="more than one variable 'fc'"):
        read(path, "fc")


def test_very_many_variables_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.mat"
    path.write_bytes(HEADER + variable("x", 6, (1, 1), element(9, bytes(8))) * 10_001)
    with pytest.raises(ConnectomeError, match="more than 10,000 variables"):
        read(path)


def test_an_escape_in_a_name_is_never_printed(tmp_path: Path) -> None:
    path = tmp_path / "c.mat"
    path.write_bytes(HEADER + variable("\x1b[2J", 6, (3, 3), element(9, bytes(72))) * 2)
    with pytest.raises(ConnectomeError, match=re.escape(r"\x1b[2J (matrix of class double")):
        read(path)


@pytest.mark.parametrize(("missing", "version"), [("scipy.io.matlab", "5"), ("h5py", "7.3")])
def test_a_missing_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, version: str
) -> None:
    path = tmp_path / "c.mat"
    if version == "5":
        saved(path, fc=VALUES)
    else:
        writer = V73(path)
        writer.matrix("fc", VALUES)
        writer.close()
    monkeypatch.setitem(__import__("sys").modules, missing, None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'dtb-runtime\[imaging\]'"):
        read(path)


# ---- real data


@pytest.mark.parametrize("version", ["7", "7.3 imitated"])
def test_a_real_person_is_the_same_from_matlab(
    tmp_path: Path, shared_data: Path, version: str
) -> None:
    source = next((shared_data / "hcp_rest").glob("*/*_task-rest_*_timeseries.npy"))
    series = np.load(source)
    if version == "7":
        path = saved(tmp_path / "c.mat", timeseries=series)
    else:
        writer = V73(tmp_path / "c.mat")
        writer.matrix("timeseries", series, "single")
        path = writer.close()
    raw = read(path)
    assert raw.kind == "timeseries"
    np.testing.assert_allclose(
        Connectome.from_timeseries(raw.values).correlations,
        Connectome.from_timeseries(series).correlations,
        atol=1e-5,
    )


def test_a_conn_file_without_its_columns_names_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "resultsROI_Subject001_Condition001.mat"
    names = np.array(["a", "b", "c"], object)
    scipy_io.savemat(path, {"Z": np.arctanh(0.5 * np.eye(3)), "names": names})
    with pytest.raises(ConnectomeError, match=r"has CONN's Z and names, but not names2"):
        read_array(path)
