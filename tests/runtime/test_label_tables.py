"""Tables of region names: the ways atlases come with them, and what is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtb_runtime.errors import ConnectomeError
from dtb_runtime.label_tables import names_of_regions, read_label_table


def write(folder: Path, name: str, *lines: str) -> Path:
    """Write lines of text."""
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("dseg.tsv", ["index\tname", "0\tbackground", "2\tLH V1", "11\tRH_V1"]),
        ("dseg.TSV", ["name\tcolor\tIndex", "RH_V1\t#fff\t11", "LH V1\t#000\t2"]),
        ("a.csv", ["Value,Label,network", "2,LH V1,Vis", '11,"RH_V1",Vis']),
        ("a.csv", ["id,region", "2.0,LH V1", "11, RH_V1 "]),
        ("a.tsv", ["index\tlabel\tname", "2\t2\tLH V1", "11\t11\tRH_V1"]),
        ("lut.txt", ["#No. Name R G B A", "", "0 Unknown 0 0 0 0", "2 LH V1 7 8 9 0", "11 RH_V1"]),
        ("lut.txt", ["2 LH V1 70 130 180", "11 RH_V1 1 2 3 0"]),
        ("lut.txt", ["  2   LH V1", "11\tRH_V1\t120\t18\t131\t0"]),
        ("lut.txt", ["2\tLH V1\t1\t2\t3\t0", "11\tRH_V1\t120\t18\t131\t0"]),
    ],
)
def test_names_are_found_by_number(tmp_path: Path, name: str, lines: list[str]) -> None:
    table = read_label_table(write(tmp_path, name, *lines))
    assert list(table.items()) == [(2, "LH V1"), (11, "RH_V1")]


def test_a_name_may_end_in_a_number(tmp_path: Path) -> None:
    path = write(tmp_path, "lut.txt", "1 Area 4", "2 Area 4 and 6 10 20 30 0", "3\tArea 5\t1\t2\t3")
    assert dict(read_label_table(path)) == {1: "Area 4", 2: "Area 4 and 6", 3: "Area 5"}


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("a.tsv", ["number\tname", "1\ta"], "columns number, name, expected the number of each"),
        ("a.tsv", ["index\ttitle", "1\ta"], r"expected the name of each region in one named name"),
        ("a.tsv", ["index\tname", "1\ta", "1\tb"], r"names region 1 twice \(a, b\)"),
        ("a.tsv", ["index\tname", "1\ta", "2\ta"], "names regions 1 and 2 both 'a'"),
        ("a.tsv", ["index\tname", "1\t"], "gives region 1 an empty name"),
        ("a.tsv", ["index\tname", "x\ta"], "'x' is not the number of a region"),
        ("a.tsv", ["index\tname", "1.5\ta"], r"'1\.5' is not the number of a region"),
        ("a.tsv", ["index\tname", "-1\ta"], "'-1' is not the number of a region"),
        ("a.tsv", ["index\tname", "inf\ta"], "'inf' is not the number of a region"),
        ("a.tsv", ["index\tname", "1_0\ta"], "'1_0' is not the number of a region"),
        ("a.tsv", ["index\tname", "0\tbackground"], "names no region"),
        ("a.tsv", ["index\tname"], "names no region"),
        ("a.tsv", ["index\tname", "1\ta\tb"], "has 3 cells, but the header names 2"),
        ("a.txt", ["1 a", "2"], r"^a\.txt, line 2: expected a number and the name .* found '2'"),
        ("a.txt", ["1 0 0 0 0"], "line 1: expected a number and the name"),
        ("a.txt", ['1 255 0 0 1 1 1 "Left"'], "line 1: expected a number and the name"),
        ("a.txt", ["a b c"], "'a' is not the number of a region"),
        ("a.xml", ["<atlas/>"], r"ending '\.xml', expected a table of region names"),
        ("a.txt", ["# nothing"], "names no region"),
        ("a.txt", [""], r"a\.txt is empty"),
    ],
)
def test_what_is_no_such_table_is_refused(
    tmp_path: Path, name: str, lines: list[str], message: str
) -> None:
    with pytest.raises(ConnectomeError, match=message):
        read_label_table(write(tmp_path, name, *lines))


def test_regions_of_an_image_without_a_name_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a.tsv", "index\tname", "0\tbackground", "1\tV1", "2\tV2", "9\tV9")
    assert dict(names_of_regions([1, 9], path, "i.nii")) == {1: "V1", 2: "V2", 9: "V9"}
    message = r"^i\.nii has regions that a\.tsv does not name: 4, 5\. Give the table of this label"
    with pytest.raises(ConnectomeError, match=message):
        names_of_regions([1, 4, 5], path, "i.nii")


def test_a_table_that_counts_from_0_is_named_as_such(tmp_path: Path) -> None:
    path = write(tmp_path, "a.tsv", "index\tname", "0\tV1", "1\tV2", "2\tV3")
    message = r"does not name: 3\. a\.tsv seems to count from 0, which it names 'V1', and the image"
    with pytest.raises(ConnectomeError, match=message):
        names_of_regions([1, 2, 3], path, "i.nii")
    whole = write(tmp_path, "b.tsv", "index\tname", "1\tV1", "2\tV2")
    with pytest.raises(ConnectomeError, match=r"does not name: 3\. Give the table of this"):
        names_of_regions([1, 2, 3], whole, "i.nii")


def test_missing_and_binary_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConnectomeError, match="There is no file at"):
        read_label_table(tmp_path / "none.tsv")
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\0\0")
    with pytest.raises(ConnectomeError, match="is not a text file"):
        read_label_table(tmp_path / "a.txt")


def test_escapes_are_not_printed(tmp_path: Path) -> None:
    path = write(tmp_path, "a.tsv", "index\tname", "1\t\x1b[31m", "2\t\x1b[31m")
    with pytest.raises(ConnectomeError, match=r"both '\\x1b\[31m'"):
        read_label_table(path)
