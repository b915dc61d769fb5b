"""Files made to do harm: refused in one sentence, without the memory that they ask for.

What formats of libraries do to readers is tested beside those readers; damage by chance in
`test_fuzz.py`.
"""

from __future__ import annotations

import gzip
import io
import os
import socket
import struct
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime import array_files, numeric_tables, tables
from dtb_runtime.array_files import ArrayFileError, load_npz
from dtb_runtime.cohort_listing import list_cohort
from dtb_runtime.connectome import Connectome
from dtb_runtime.connectome_file import read_connectome
from dtb_runtime.errors import CohortError, ConnectomeError, DataError, EventsError
from dtb_runtime.events import read_events
from dtb_runtime.label_tables import read_label_table
from dtb_runtime.parcellation import read_regions_table
from dtb_runtime.raw_array import MAX_REGIONS, MAX_TIME_POINTS
from dtb_runtime.readers import READERS, read_array
from dtb_runtime.reading import Reading
from dtb_runtime.tables import MAX_COLUMNS

SQUARE = np.array([[1.0, 0.25, -0.5], [0.25, 1.0, 0.125], [-0.5, 0.125, 1.0]])
ODD_NAME = "sub-01\n\x1b[31mError\x9b2J\u202egnp[red]"
Reader = Callable[[Path], object]
TABLES: dict[str, tuple[Reader, type[DataError], str]] = {
    "events": (lambda path: read_events(path, "stroop"), EventsError, ".tsv"),
    "cohort": (list_cohort, CohortError, ".tsv"),
    "regions": (read_regions_table, DataError, ".csv"),
    "names": (read_label_table, ConnectomeError, ".tsv"),
}
"""Tables with a header: how each is read, what it raises, and its file's ending."""


@contextmanager
def at_most(megabytes: float) -> Iterator[None]:
    """See that no more memory is asked for within."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < megabytes * 1e6, f"{peak / 1e6:.0f} MB were asked for"


def npy(array: NDArray[np.generic]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npy_header(descr: str, shape: str) -> bytes:
    """A .npy file with this type and shape and nothing more."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text = text.ljust(max(118 - 10, len(text) + 1)) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def archive(path: Path, how: int = zipfile.ZIP_DEFLATED, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", how) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def claim_size(path: Path, size: int) -> None:
    """Let the list of a zip archive say that its last member is this long."""
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<L", size)
    path.write_bytes(data)


# ---- arrays and archives


def test_a_member_that_unpacks_to_more_than_it_claims_is_not_unpacked(tmp_path: Path) -> None:
    path = archive(tmp_path / "c.npz", connectome=npy(SQUARE) + bytes(200_000_000))
    claim_size(path, 200)
    with at_most(20), pytest.raises(ConnectomeError, match=r"c\.npz is not a readable \.npz arch"):
        read_array(path)


@pytest.mark.parametrize("how", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_unpacks_without_a_limit_is_not_unpacked(tmp_path: Path, how: int) -> None:
    """A thousand bytes of bzip2 can be gigabytes, and zipfile does not ask how many to unpack."""
    path = archive(tmp_path / "c.npz", how, connectome=npy(SQUARE) + bytes(50_000_000))
    claim_size(path, 200)
    with at_most(5), pytest.raises(ConnectomeError, match="compressed in another way than numpy's"):
        read_array(path)


def test_text_of_any_length_is_not_turned_into_names(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    np.savez_compressed(path, connectome=SQUARE, labels=np.zeros(10_000_000, "<U2"))
    with at_most(20), pytest.raises(ConnectomeError, match=r"\[labels\] claims 80\.0 MB .* 33\.6"):
        read_array(path)


@pytest.mark.parametrize(
    ("descr", "shape", "message"),
    [
        ("'<U0'", "(1000000000000,)", r"claims 1000\.0 GB \(1000000000000\)"),
        ("'<f8'", f"({2**70}, 0)", r"claims 1000000000\.0 GB \(\.\.\. x 0\)"),
        ("'<f8'", f"(0, {'9' * 400})", r"claims 1000000000\.0 GB \(0 x \.\.\.\)"),
        ("('<f8', (100000000,))", "(3, 3)", r"claims 7\.2 GB|not a NumPy array file"),
        ("'<f8'", f"({'1, ' * 60})", "60-dimensional"),
        ("[('\\x1b[31m', '<f8')]", "(3, 3)", "cut short|holds values of type"),
    ],
)
def test_a_header_asks_for_nothing(tmp_path: Path, descr: str, shape: str, message: str) -> None:
    path = tmp_path / "c.npy"
    path.write_bytes(npy_header(descr, shape) + bytes(64))
    with at_most(5), pytest.raises(ConnectomeError, match=message) as caught:
        read_array(path)
    assert str(caught.value).isprintable()


def test_a_list_of_very_many_members_is_not_read(tmp_path: Path) -> None:
    path = archive(tmp_path / "c.npz", zipfile.ZIP_STORED, **{f"a{i}": b"" for i in range(25_000)})
    with at_most(1), pytest.raises(ConnectomeError, match="list of members is longer than"):
        read_array(path)


def test_records_that_say_something_else_are_refused(tmp_path: Path) -> None:
    """With a comment or larger records behind it, readers take different lists of members."""
    path = archive(tmp_path / "c.npz", connectome=npy(SQUARE))
    whole = path.read_bytes()
    end = whole[-22:]
    for content in (
        whole + end + b"comment",
        whole[:-22] + b"PK\x06\x07" + bytes(16) + end,
        whole[:-2] + b"\x16\x00" + end,
        end,
        b"",
    ):
        path.write_bytes(content)
        with pytest.raises(ConnectomeError, match=r"not a readable \.npz archive|holds noth|empty"):
            read_array(path)


def test_an_array_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    for names in (("connectome.npy", "connectome"), ("connectome.npy",) * 2):
        with (
            zipfile.ZipFile(path, "w") as file,
            pytest.warns(UserWarning, match="Duplicate")
            if (len(set(names)) == 1)
            else pytest.MonkeyPatch.context(),
        ):
            for name in names:
                file.writestr(name, npy(SQUARE))
        with pytest.raises(ConnectomeError, match=r"holds the array 'connectome' twice"):
            read_array(path)


@pytest.mark.parametrize("name", ["../../evil", "/etc/passwd", "a/b\x1b[31m", "C:\\x", "x" * 3000])
def test_names_of_members_are_names_and_no_paths(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path / "c.npz", **{name: npy(SQUARE)})
    np.testing.assert_array_equal(read_array(path).values, SQUARE)
    assert sorted(tmp_path.rglob("*")) == [path]
    archive(path, **{name: npy(SQUARE), f"{name}2": npy(SQUARE)})
    with pytest.raises(ConnectomeError, match="expected an array named connectome") as caught:
        read_array(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "c.npz", connectome=npy(SQUARE))
    data = bytearray(path.read_bytes())
    for sign, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(sign) + at] |= 1
    path.write_bytes(data)
    with pytest.raises(ConnectomeError, match=r"not a readable \.npz archive \(.*encrypted"):
        read_array(path)


def test_what_an_archive_may_hold_is_the_callers_choice(tmp_path: Path) -> None:
    path = archive(tmp_path / "c.npz", a=npy(SQUARE), b=npy(SQUARE))
    assert load_npz(path, "c", 1000, choose=lambda _: {"a"}).keys() == {"a"}
    with pytest.raises(ArrayFileError, match="unpacks to"):
        load_npz(path, "c", 300)


# ---- how large a connectome may be


@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_a_matrix_of_too_many_regions_is_not_read(tmp_path: Path, ending: str) -> None:
    path, n = tmp_path / f"c{ending}", MAX_REGIONS + 1
    content = npy_header("'<f8'", f"({n}, {n})")
    if ending == ".npy":
        path.write_bytes(content)
        os.truncate(path, len(content) + 8 * n * n)  # a hole in the file: it takes no room
    else:
        archive(path, connectome=content)
    with at_most(5), pytest.raises(ConnectomeError, match=f"is {n} x {n}, expected at most 5000"):
        read_array(path)


def test_a_short_series_of_very_many_regions_is_refused(tmp_path: Path) -> None:
    """Its correlations would take a square of their number."""
    np.save(tmp_path / "s.npy", np.zeros((3, 200_000), np.float32))
    with at_most(5), pytest.raises(ConnectomeError, match="is 3 x 200000, expected at most 5000"):
        read_connectome(tmp_path / "s.npy", Reading(timeseries=True))
    with pytest.raises(ConnectomeError, match="expected at most 5000 columns"):
        Connectome.from_timeseries(np.zeros((3, MAX_REGIONS + 1)))
    with pytest.raises(ConnectomeError, match="expected at most 5000 columns"):
        Connectome.from_matrix(np.zeros((2, MAX_REGIONS + 1)))


def test_very_many_time_points_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", np.zeros((MAX_TIME_POINTS + 1, 2), np.float32))
    with at_most(5), pytest.raises(ConnectomeError, match=r"100001 x 2, expected .* 100000 rows"):
        read_connectome(tmp_path / "s.npy", Reading(timeseries=True))


def test_a_scan_of_huge_frames_is_not_read(tmp_path: Path) -> None:
    """Three megabytes may claim frames of gigabytes, and a label image is brought to their grid."""
    nibabel = pytest.importorskip("nibabel")
    content = bytearray(nibabel.Nifti1Image(np.zeros((1, 1, 1, 3), np.uint8), np.eye(4)).to_bytes())
    content[42:48] = struct.pack("<3h", 1200, 1200, 1200)
    (tmp_path / "s.nii.gz").write_bytes(gzip.compress(content))
    nibabel.save(nibabel.Nifti1Image(np.ones((2, 2, 2), np.int16), np.eye(4)), tmp_path / "a.nii")
    reading = Reading(atlas=str(tmp_path / "a.nii"), resample=True)
    with (
        at_most(20),
        pytest.raises(ConnectomeError, match=r"A frame of s\.nii.* claims 13\.8 GB"),
    ):
        read_array(tmp_path / "s.nii.gz", reading)


# ---- text


def write_text(path: Path, *parts: str) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(parts)
    return path


@pytest.mark.parametrize(("ending", "cell"), [(".csv", "0.5,"), (".tsv", "0.5\t"), (".txt", "0 ")])
@pytest.mark.parametrize("before", ["", "1 2 3\n"])
def test_a_million_columns_are_not_taken_apart(
    tmp_path: Path, ending: str, cell: str, before: str
) -> None:
    path = write_text(tmp_path / f"c{ending}", before.replace(" ", cell[-1]), cell * 1_000_000)
    with at_most(20), pytest.raises(ConnectomeError, match="has more than 5000 columns"):
        read_array(path)


def test_a_line_without_an_end_is_refused(tmp_path: Path) -> None:
    path = write_text(tmp_path / "c.csv", "1" * 10_000_000)
    with at_most(60), pytest.raises(ConnectomeError, match=r"c\.csv"):
        read_connectome(path)
    path = write_text(tmp_path / "c.csv", "x" * 10_000_000, ",1\n2,3\n")
    with at_most(60), pytest.raises(ConnectomeError, match=r"c\.csv") as caught:
        read_connectome(path)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("end", ["\n", "\r", "\v", "\x1c", "\x85", "\u2028"])
def test_very_many_lines_are_not_taken_apart(
    tmp_path: Path, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numeric_tables, "_MAX_LINES", 100_000)
    path = write_text(tmp_path / "c.csv", f"1{end}" * 200_000)
    with at_most(4), pytest.raises(ConnectomeError, match="has more than 100000 lines"):
        read_array(path)


def test_names_in_long_comments_are_looked_at_in_part(tmp_path: Path) -> None:
    path = write_text(tmp_path / "c.csv", "#" + "a,b\t" * 1_000_000 + "\n1,0.5\n0.5,1\n")
    with at_most(30):
        assert read_array(path).labels is None


def test_cells_are_not_all_kept_as_text(tmp_path: Path) -> None:
    """One quoted cell makes a table be read cell by cell."""
    rows = ['"1"' + ",0.25" * 999 + "\n", *["0.75" + ",0.25" * 999 + "\n"] * 999]
    path = write_text(tmp_path / "c.csv", *rows)
    with at_most(40):  # numbers take 8 MB, the text twice 5; a million texts would take 55
        assert read_array(path).values.shape == (1000, 1000)


def test_numbers_of_very_many_digits_are_no_ids(tmp_path: Path) -> None:
    path = write_text(tmp_path / "c.csv", f"{'1' * 5000},20000,3\n1.5,2,3\n")
    assert read_array(path).values.shape == (2, 3)  # the first is infinite, and refused later
    with pytest.raises(ConnectomeError):
        read_connectome(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_other_encodings_are_named_as_such(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "c.csv"
    path.write_bytes("ä,b\n1,0.5\n0.5,1\n".encode(encoding))
    with pytest.raises(ConnectomeError, match=r"c\.csv is not a text file .* Save it as UTF-8"):
        read_array(path)


@pytest.mark.parametrize(
    "text",
    ['"' + "1,2\n" * 100_000, '"a"b,1\n1,2\n', '""""""' * 1000 + "\n1", '1,"2\n3,4\n' * 1000],
)
def test_quotes_that_do_not_fit_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConnectomeError, match=r"c\.csv") as caught:
        read_connectome(write_text(tmp_path / "c.csv", text))
    assert len(str(caught.value)) < 500


def test_a_long_name_of_a_region_is_refused(tmp_path: Path) -> None:
    """Names are compared word by word, so a long one of many words would take very long."""
    path = write_text(tmp_path / "c.csv", "a " * 100_000, ",b,c\n1,0,0\n0,1,0\n0,0,1\n")
    with pytest.raises(ConnectomeError, match=r"has 199999 characters, expected at most 200"):
        read_connectome(path)


def test_escapes_in_names_of_regions_are_shown_as_such(tmp_path: Path) -> None:
    path = write_text(tmp_path / "c.csv", "\x1b[31mred,\u202eb,\x9bc\n1,0,0\n0,1,0\n0,0,9\n")
    with pytest.raises(ConnectomeError) as caught:
        read_connectome(path)
    assert str(caught.value).isprintable()


# ---- tables with a header


@pytest.mark.parametrize("kind", TABLES)
def test_a_header_of_very_many_columns_is_refused(tmp_path: Path, kind: str) -> None:
    read, error, ending = TABLES[kind]
    delimiter = "\t" if ending == ".tsv" else ","
    path = write_text(tmp_path / f"t{ending}", f"a{delimiter}" * (MAX_COLUMNS + 1))
    with at_most(10), pytest.raises(error, match="has a row of 10002 cells, expected at most 1000"):
        read(path)
    path = write_text(path, delimiter.join(f"a{i}" for i in range(MAX_COLUMNS)), "\n")
    with at_most(10), pytest.raises(error) as caught:
        read(path)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("kind", TABLES)
def test_very_many_lines_or_cells_are_refused(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, error, ending = TABLES[kind]
    monkeypatch.setattr(tables, "MAX_LINES", 1000)
    monkeypatch.setattr(tables, "MAX_CELLS", 3000)
    path = write_text(tmp_path / f"t{ending}", "a\n" * 1001)
    with pytest.raises(error, match="has more than 1000 lines"):
        read(path)
    delimiter = "\t" if ending == ".tsv" else ","
    write_text(path, f"{delimiter.join('abcd')}\n" * 800)
    with pytest.raises(error, match="has more than 3000 cells"):
        read(path)


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize(
    "content",
    [
        b"a\tb\n1\0\t2\n",
        "a\tb\n1\t2\n".encode("utf-16"),
        b"\xff\xfe\xfd",
        b'a\t"b\n1\t2\n',
        b'"' * 200_000,
        b"a" * 200_000,
        b"\n \n\t\n",
        "\x1b[31mred\t\u202e\n1\t2\n".encode(),
        b"a\tb\n1\t2\n3\n",
        b"a\ta\n1\t2\n",
    ],
    ids=["nul", "utf-16", "bytes", "open", "quotes", "line", "blank", "escapes", "short", "twice"],
)
def test_bad_tables_are_one_printable_sentence(tmp_path: Path, kind: str, content: bytes) -> None:
    read, error, ending = TABLES[kind]
    path = tmp_path / f"t{ending}"
    path.write_bytes(content if ending == ".tsv" else content.replace(b"\t", b","))
    with pytest.raises(error, match=rf"t\{ending}") as caught:
        read(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


def test_a_file_that_is_longer_than_the_system_says_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As files of /proc are, and files that somebody writes to meanwhile."""
    path = write_text(tmp_path / "c.csv", "1,2\n" * 1000)
    monkeypatch.setattr(tables, "MAX_TEXT_BYTES", 100)
    real = Path.stat

    def stat(self: Path, **how: bool) -> os.stat_result:
        found = real(self, **how)
        return os.stat_result((*found[:6], 0, *found[7:]))

    monkeypatch.setattr(Path, "stat", stat)
    with pytest.raises(ConnectomeError, match="of text; at most"):
        tables.read_text(path, ConnectomeError)


# ---- what is no file, and names that are no names


@pytest.fixture
def specials(tmp_path: Path) -> Iterator[Callable[[str, str], Path]]:
    """Make something that is no regular file, with a name of this ending."""
    opened: list[socket.socket] = []

    def make(kind: str, ending: str) -> Path:
        path = tmp_path / f"x{ending}"
        match kind:
            case "fifo":
                os.mkfifo(path)
            case "folder":
                path.mkdir()
            case "socket":
                opened.append(socket.socket(socket.AF_UNIX))
                opened[-1].bind(str(path))
            case "link to nowhere":
                path.symlink_to(tmp_path / "nowhere")
            case "link to itself":
                path.symlink_to(path)
            case "link to a device":
                path.symlink_to("/dev/zero")
        return path

    yield make
    for each in opened:
        each.close()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such files")
@pytest.mark.parametrize("ending", [*READERS, *TABLES])
@pytest.mark.parametrize(
    "kind",
    ["fifo", "folder", "socket", "link to nowhere", "link to itself", "link to a device"],
)
def test_what_is_no_regular_file_is_never_opened(
    specials: Callable[[str, str], Path], kind: str, ending: str
) -> None:
    read, error, ending = TABLES.get(ending, (read_connectome, ConnectomeError, ending))
    path = specials(kind, ending)
    with pytest.raises(
        error, match=r"is a folder|no file at|not a regular file|cannot be read|hol"
    ):
        read(path)


@pytest.mark.parametrize("ending", [*READERS, *TABLES])
def test_an_odd_name_of_a_file_is_shown_as_one_line(tmp_path: Path, ending: str) -> None:
    read, error, ending = TABLES.get(ending, (read_connectome, ConnectomeError, ending))
    path = tmp_path / f"{ODD_NAME}{ending}"
    with pytest.raises(error) as missing:
        read(path)
    path.write_bytes(b"\x01\x02\xff" * 200)
    with pytest.raises(error) as damaged:
        read(path)
    for caught in (missing, damaged):
        assert str(caught.value).isprintable()
        assert r"sub-01\n\x1b[31mError\x9b2J\u202egnp[red]" in str(caught.value)


@pytest.mark.parametrize("name", ["c\0.csv", "c" * 300 + ".csv", "\ud800.csv", ""])
def test_names_that_no_file_can_have_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConnectomeError) as caught:
        read_connectome(tmp_path / name)
    assert str(caught.value).isprintable()


def test_limits_are_those_that_the_page_states() -> None:
    text = Path(__file__).parents[2].joinpath("docs", "SECURITY.md").read_text(encoding="utf-8")
    for words in (
        f"{MAX_REGIONS:,} regions",
        f"{MAX_TIME_POINTS:,} time points",
        f"{tables.MAX_TEXT_BYTES // 2**20} MiB of text",
        f"{array_files.MAX_TEXT_BYTES // 2**20} MiB of names",
        f"{MAX_COLUMNS:,} columns",
        f"{tables.MAX_CELLS:,} cells",
    ):
        assert words in text, words
