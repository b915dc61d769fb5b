"""Whatever stands in files stays text: on the page, in pictures, and in messages."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from dtb_runtime.errors import DataError, DtbError, MissingDependencyError, OutputError, UsageError
from dtb_runtime.report_blocks import DataTable, Document, Paragraph, Part, Section
from dtb_runtime.report_canvas import drawable, svg_picture
from dtb_runtime.report_contents import make_report
from dtb_runtime.report_inputs import check_not_an_input
from dtb_runtime.report_page import render

from .report_files import SUMMARY, Element, Folders, edit_json, made_folders, parsed

for needed in ("jinja2", "matplotlib", "nilearn"):
    pytest.importorskip(needed, reason="a report needs the extra [report]")

SCRIPT = "<script>alert(1)</script>"
HOSTILE = (
    SCRIPT,
    '"><img src=x onerror=alert(1)>',
    "'--><svg onload=alert(1)>]]>",
    "{{ 7 * 7 }}{% raw %}",
    "$\\frac{1}{2}$ $x",
    "</title></style></td></table>",
    "&lt;b&gt; &amp;",
    "中文 \U0001f9e0 ünï",
)
ODD = "a\x1b[31m\u202eb\u2028c\x00\x85"
ODD_SHOWN = r"a\x1b[31m\u202eb\u2028c\x00\x85"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    return made_folders(tmp_path_factory.getbasetemp() / "report_files")


def pictures_of(page: Element) -> list[bytes]:
    """The SVG pictures of a page."""
    found = []
    for element in page.all("img", "source"):
        uri = element.attributes.get("src") or element.attributes["srcset"]
        if uri.startswith("data:image/svg+xml;base64,"):
            found.append(base64.b64decode(uri.partition(",")[2]))
    return found


def assert_nothing_runs(html: bytes) -> Element:
    """See that the page has our elements and no others, and each picture nothing that runs."""
    page = parsed(html)
    assert page.all("script", "iframe", "object", "embed", "b") == []
    assert len(page.all("svg")) == 0
    assert len(page.all("title")) == len(page.all("style")) == 1
    for element in page.all("img", "p", "td", "th", "dd", "source", "h1", "div"):
        assert not [name for name in element.attributes if name.startswith("on")]
    assert all(image.attributes["src"].startswith("data:image/") for image in page.all("img"))
    for picture in pictures_of(page):
        tags = {each.tag.rpartition("}")[2] for each in ElementTree.fromstring(picture).iter()}
        assert tags <= {
            *("svg", "metadata", "RDF", "Work", "type", "format", "defs", "style", "g", "path"),
            *("use", "clipPath", "rect", "text", "image", "creator", "Agent", "title"),
        }
    return page


def replaced(path: Path, new_names: dict[str, str]) -> None:
    text = path.read_text(encoding="utf-8")
    for old, new in new_names.items():
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")


def test_hostile_names_of_a_person_show_as_text(folders: Folders, tmp_path: Path) -> None:
    """As participant, region, trial type, task contrast, whom compared with, basis and warning."""
    copy = Path(shutil.copytree(folders.predicted, tmp_path / "copy"))
    regions = dict(zip(("L_Vis1", "R_SomMot", "L_Default", "lAMY-rh"), HOSTILE[:4], strict=True))
    regions |= dict(zip(("R_Vis1", "L_SomMot", "R_Default"), HOSTILE[4:7], strict=True))
    regions["R_Vis2"] = HOSTILE[7]
    quoted = {old: f'"{new.replace(chr(34), chr(34) * 2)}"' for old, new in regions.items()}
    for kind in ("contrasts", "timeseries"):
        replaced(copy / f"sub-01_task-hammer_desc-twin_{kind}.tsv", quoted)
    replaced(copy / "sub-01_task-hammer_desc-twin_events.tsv", {"\tshape\t": f"\t{SCRIPT}\t"})
    for path in copy.glob("*stroop*"):
        path.unlink()

    def spoil(document: dict[str, Any]) -> None:
        document["participant_id"] = None
        document["bundle"] = SCRIPT
        document["calibration"]["sentence"] = SCRIPT
        document["strangeness"]["sentence"] = SCRIPT
        document["warnings"] = [*HOSTILE]
        document["connectome"]["taken_for"] = SCRIPT
        document["connectome"]["imputed"] = [SCRIPT]
        document["percentiles"]["reaction_time"]["compared_to"] = SCRIPT
        document["indicators"][SCRIPT] = 0.5
        document["versions"]["dtb_runtime"] = SCRIPT

    edit_json(copy / SUMMARY, spoil)
    asked = [regions["L_Vis1"], regions["R_Vis1"], regions["R_Vis2"], regions["R_SomMot"]]
    report = make_report([copy], regions=asked)
    page = assert_nothing_runs(report.html)
    for name in HOSTILE:
        assert name in page.text
    assert page.text.count(SCRIPT) > 10
    assert any(SCRIPT in cell.text for cell in page.all("th"))
    assert any("hammer, <script>" in image.attributes["alt"] for image in page.all("img"))
    assert "49" not in page.all("h1")[0].text
    assert b"<script" not in report.html
    # The bundle of this name is not there, so what needs it is left out, and said to be.
    assert len(report.left_out) == 3
    assert all("'<script>alert(1)</script>' (digest" in each for each in report.left_out)
    (left_out,) = (h for h in page.all("h2") if h.text == "What is left out")
    assert left_out.attributes["id"] == "left-out"
    assert [each.text for each in page.all("ul")[0].all("li")] == list(report.left_out)


def test_a_hostile_participant_shows_as_text(folders: Folders, tmp_path: Path) -> None:
    path = tmp_path / "printed.json"
    shutil.copy(folders.predicted / SUMMARY, path)
    edit_json(path, lambda d: d.update(participant_id=SCRIPT))
    page = assert_nothing_runs(make_report([path]).html)
    assert page.all("h1")[0].text == f"Digital twin of {SCRIPT}"
    assert page.all("title")[0].text == f"Digital twin of {SCRIPT}"


def test_hostile_people_of_a_cohort_and_networks_of_a_plan_show_as_text(
    folders: Folders, tmp_path: Path
) -> None:
    for name in ("scores", "trial", "intervention"):
        shutil.copytree(getattr(folders, name), tmp_path / name)
    for name in ("scores/cohort.tsv", "trial/trial.tsv"):
        replaced(tmp_path / name, {"sub-07": SCRIPT, "is not a NumPy": HOSTILE[2]})
    header, *rows = (tmp_path / "intervention" / "edges.tsv").read_text().splitlines()
    odd = [row.replace("Vis1", SCRIPT).replace("SomMot", HOSTILE[4]) for row in rows]
    (tmp_path / "intervention" / "edges.tsv").write_text("\n".join([header, *odd]) + "\n")

    def spoil(document: dict[str, Any]) -> None:
        document["plan"]["holds"] = [SCRIPT]
        document["doses"][SCRIPT] = document["doses"]["accuracy"]
        document["change"]["kind"] = SCRIPT
        document["indicators"][SCRIPT] = document["indicators"]["accuracy"]

    edit_json(tmp_path / "intervention" / "intervention.json", spoil)
    edit_json(tmp_path / "trial" / "trial.json", lambda d: d.update(rule=SCRIPT, holds=[SCRIPT]))
    report = make_report([tmp_path / name for name in ("scores", "trial", "intervention")])
    page = assert_nothing_runs(report.html)
    assert page.text.count(SCRIPT) > 8
    assert HOSTILE[2] in page.text
    assert f"within {SCRIPT}" in [cell.text for cell in page.all("th")]


def test_what_is_not_printable_shows_as_escapes() -> None:
    table = DataTable.of(ODD, (ODD,), [(ODD, "<b>")])
    section = Section("a", ODD, (Paragraph(ODD), table), (Part(ODD, ()),), (ODD,))
    html = render(Document(ODD, ODD, (ODD,), (section,)))
    text = parsed(html).text
    assert {char for char in text if not char.isprintable()} == {"\n"}
    assert text.count(ODD_SHOWN) >= 9


def test_long_texts_and_tables_are_cut() -> None:
    table = DataTable.of("t", ("a", "b"), [("x" * 10_000, "1")] * 600)
    assert len(table.rows) == 500
    assert table.note == "500 of 600 rows; all of them are in the file."
    assert table.rows[0][0] == "x" * 120 + "..."
    long = "y" * 1_000_000
    html = render(Document(long, long, (), (Section("a", long, (Paragraph(long),)),)))
    assert len(html) < 100_000


def test_names_in_pictures_are_letters_of_the_font() -> None:
    assert drawable("R_Vis1") == "R_Vis1"
    assert drawable("Größe µ") == "Größe µ"
    assert drawable("中\U0001f9e0x") == "??x"
    assert drawable("a\nb\u202ec") == r"a\nb\u202ec"
    assert drawable("z" * 99) == "z" * 37 + "..."


@pytest.mark.parametrize("name", [*HOSTILE, "%", "\\", "$$$", "-->", "a\tb"])
def test_a_picture_with_any_words_is_whole_and_the_same_again(name: str) -> None:
    def paint(figure: Any, theme: Any) -> None:
        axes = figure.subplots()
        axes.set_title(drawable(name))
        axes.set_xticks([0.0], [drawable(name)])

    first, again = (svg_picture(paint, (3.0, 2.0), alt="a", caption="c") for _ in range(2))
    assert first == again
    assert first.light != first.dark
    for picture in (first.light, first.dark):
        ElementTree.fromstring(picture)
        assert b"<script" not in picture


def test_a_name_in_a_file_is_not_taken_for_a_path(folders: Folders, tmp_path: Path) -> None:
    path = tmp_path / "printed.json"
    shutil.copy(folders.predicted / SUMMARY, path)
    edit_json(path, lambda d: d.update(bundle=str(tmp_path)))
    report = make_report([path])
    assert "is none of those that ship" in report.left_out[0]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "is empty"),
        (b"\xff\xfe\x00", "is not a text file"),
        (b"[1]", "expected a JSON object"),
        (b"{" * 100_000, "is not valid JSON"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands twice"),
        (b"{}", "is no summary of a forecast"),
    ],
)
def test_a_file_of_the_wrong_kind_is_refused_in_a_sentence(
    tmp_path: Path, content: bytes, match: str
) -> None:
    path = tmp_path / f"{ODD.replace(chr(0), '')}.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=match) as caught:
        make_report([path])
    assert str(caught.value).isprintable()


def test_files_that_are_too_large_are_refused(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(folders.predicted, tmp_path / "copy"))
    monkeypatch.setattr("dtb_runtime.tables.MAX_TEXT_BYTES", 5000)
    with pytest.raises(DataError, match=r"MB of text; at most 0 MB is read"):
        make_report([copy])
    monkeypatch.undo()
    with (copy / SUMMARY).open("ab") as file:
        file.truncate(33 * 1024**2)
    with pytest.raises(DataError, match=r"desc-twin_summary\.json is 35 MB of text; at most 34 MB"):
        make_report([copy])


def test_a_page_that_is_too_large_is_not_made(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtb_runtime.report_contents.LARGEST_REPORT", 10_000)
    with pytest.raises(DataError, match=r"The page would have 0\.\d MB, at most 0 MB are written"):
        make_report([folders.predicted / SUMMARY])


def test_a_person_and_the_plan_of_another_are_refused(folders: Folders, tmp_path: Path) -> None:
    plan = Path(shutil.copytree(folders.intervention, tmp_path / "plan"))
    edit_json(plan / "intervention.json", lambda d: d.update(participant_id="sub-09"))
    with pytest.raises(UsageError, match="The forecast is of 'sub-01', the intervention of 'sub-0"):
        make_report([folders.predicted, plan])


def test_regions_without_a_table_of_them_are_refused(folders: Folders) -> None:
    with pytest.raises(UsageError, match="no table of it was given"):
        make_report([folders.predicted / SUMMARY], regions=["R_Vis1"])


def test_a_missing_package_is_a_sentence(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingDependencyError, match=r"needs jinja2.*'dtb-runtime\[report\]'"):
        make_report([folders.predicted])


def test_a_report_does_not_replace_what_it_is_made_from(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("{}")
    (tmp_path / "b.json").symlink_to(path)
    with pytest.raises(OutputError, match=r"b\.json is one of the files that go in"):
        check_not_an_input(tmp_path / "b.json", [path])
    check_not_an_input(tmp_path / "c.html", [path])


@pytest.mark.parametrize("seed", range(18))
def test_damaged_files_end_in_a_sentence_or_a_page(
    folders: Folders, tmp_path: Path, seed: int
) -> None:
    """Values replaced at random: no traceback, and no page that runs anything."""
    rng = np.random.default_rng([7, seed])
    sources = (folders.intervention / "intervention.json", folders.trial / "trial.json")
    source = (*sources, folders.printed)[seed % 3]
    document = json.loads(source.read_text(encoding="utf-8"))
    odd = [None, True, -1, 1e308, 0, "", SCRIPT, [], {}, [1.0], {"a": 1}, "n/a", -1e-300]

    def spoil(value: Any) -> Any:
        if rng.random() < 0.004:
            return odd[int(rng.integers(len(odd)))]
        if isinstance(value, dict):
            return {name: spoil(each) for name, each in value.items()}
        return [spoil(each) for each in value] if isinstance(value, list) else value

    path = tmp_path / source.name
    path.write_text(json.dumps(spoil(document)))
    try:
        html = make_report([path]).html
    except DtbError as error:
        assert str(error).isprintable()
    else:
        assert_nothing_runs(html)
