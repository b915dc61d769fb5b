"""A report as a page: whole, safe, readable, and the same for the same files."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest

from dtb_runtime import report_canvas
from dtb_runtime.report_blocks import Picture
from dtb_runtime.report_contents import LARGEST_REPORT, Report, make_report

from .report_files import (
    TINY,
    Element,
    Folders,
    headings_of,
    made_folders,
    parsed,
    whole_report,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

for needed in ("jinja2", "matplotlib", "nilearn"):
    pytest.importorskip(needed, reason="a report needs the extra [report]")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    return made_folders(tmp_path_factory.getbasetemp() / "report_files")


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A page of all kinds of files at once."""
    return whole_report(tmp_path_factory.getbasetemp() / "report_files")


@pytest.fixture(scope="module")
def page(everything: Report) -> Element:
    return parsed(everything.html)


def test_it_opens_with_what_it_is_not_then_who_and_which_bundle(
    everything: Report, page: Element
) -> None:
    text = re.sub(r"\s+", " ", page.all("body")[0].text)
    first = text.index("not a medical device")
    assert first < text.index("invented weights: its forecasts say nothing")
    assert first < text.index("Participant") < text.index(everything.bundle_digest)
    sections = [text for _, text in headings_of(page)]
    assert sections.index("Who and what") < sections.index("How unusual the connectome is")
    assert page.all("h1")[0].text == "Digital twin of sub-01"
    assert page.all("title")[0].text == "Digital twin of sub-01"


def test_no_word_of_a_picture_is_cut_off(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    beyond: list[tuple[float, ...]] = []

    def look(figure: Figure) -> None:
        figure.draw_without_rendering()
        box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        ends = (box.x0, box.y0, width - box.x1, height - box.y1)
        if min(ends) < -0.02:  # inches
            beyond.append(ends)

    paint = report_canvas.svg_picture

    def looked_at(draw: report_canvas.Paint, *of: Any, **how: Any) -> Picture:
        def drawn(figure: Figure, theme: report_canvas.Theme) -> None:
            draw(figure, theme)
            look(figure)

        return paint(drawn, *of, **how)

    for name, module in list(sys.modules.items()):
        if name.startswith("dtb_runtime.report_") and hasattr(module, "svg_picture"):
            monkeypatch.setattr(module, "svg_picture", looked_at)
    make_report(
        [
            folders.predicted,
            folders.calibrated,
            folders.intervention,
            folders.scores,
            folders.trial,
        ],
        bundle=str(TINY),
    )
    assert beyond == []


def test_every_section_is_there_and_in_the_contents(everything: Report, page: Element) -> None:
    expected = (
        *("Who and what", "How unusual the connectome is", "Indicators"),
        *("Before and after calibration", "Responses", "BOLD on the brain", "BOLD over time"),
        *("Intervention plan", "Cohort", "Trial in silico", "Files"),
    )
    assert everything.sections == expected
    assert everything.left_out == ()
    (nav,) = page.all("nav")
    links = {link.text: link.attributes["href"] for link in nav.all("a")}
    assert tuple(links) == expected
    ids = {each.attributes.get("id"): each.text for each in page.all("h2")}
    assert all(ids[target.removeprefix("#")] == title for title, target in links.items())


def test_headings_are_in_order_and_ids_are_single(page: Element) -> None:
    levels = [level for level, _ in headings_of(page)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    ids = [e.attributes["id"] for e in page.all("h2", "main") if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    assert page.all("html")[0].attributes["lang"] == "en"


def test_nothing_is_fetched_and_no_script_can_run(everything: Report, page: Element) -> None:
    assert page.all("script", "link", "iframe", "object", "embed", "form", "base") == []
    for element in page.all("a", "img", "source"):
        for name in ("href", "src", "srcset"):
            assert element.attributes.get(name, "data:").startswith(("data:image/", "data:", "#"))
    assert not any(
        name.startswith("on") for e in page.all("img", "p", "td") for name in e.attributes
    )
    policy = next(
        meta.attributes["content"]
        for meta in page.all("meta")
        if meta.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    style = page.all("style")[0].text
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert "http://" not in style
    assert "url(" not in style


def test_every_picture_has_words_a_caption_and_a_dark_twin(
    everything: Report, page: Element
) -> None:
    figures = page.all("figure")
    assert len(figures) == everything.n_pictures >= 12
    for figure in figures:
        (image,), (dark,) = figure.all("img"), figure.all("source")
        assert len(image.attributes["alt"]) > 60
        assert int(image.attributes["width"]) > 100
        assert dark.attributes["media"] == "screen and (prefers-color-scheme: dark)"
        assert dark.attributes["srcset"] != image.attributes["src"]
        assert len(figure.all("figcaption")[0].text) > 20


def test_pictures_are_whole_and_have_no_background(page: Element) -> None:
    from PIL import Image

    for element in page.all("img", "source"):
        uri = element.attributes.get("src") or element.attributes["srcset"]
        kind, _, data = uri.partition(";base64,")
        content = base64.b64decode(data, validate=True)
        if kind == "data:image/png":
            import io

            with Image.open(io.BytesIO(content)) as picture:
                assert picture.convert("RGBA").getpixel((1, 1))[3] == 0  # type: ignore[index]
            continue
        assert kind == "data:image/svg+xml"
        root = ElementTree.fromstring(content)
        assert root.tag.endswith("svg")
        assert not [
            e
            for e in root.iter()
            if e.tag.rpartition("}")[2] in ("script", "a", "image")
            and not e.get("{http://www.w3.org/1999/xlink}href", "").startswith("data:")
        ]
        assert b"<dc:date>" not in content


def test_tables_name_their_rows_and_columns(page: Element) -> None:
    tables = page.all("table")
    assert len(tables) > 15
    for table in tables:
        head, *body = table.all("tr")
        assert {cell.attributes.get("scope") for cell in head.all("th")} == {"col"}
        for row in body:
            assert row.all("th", "td")[0].tag == "th"
            assert len(row.all("th", "td")) == len(head.all("th"))


def test_it_stays_small(everything: Report) -> None:
    assert len(everything.html) < LARGEST_REPORT == 5_000_000


def test_the_same_files_give_the_same_page_in_another_process(
    everything: Report, folders: Folders, tmp_path: Path
) -> None:
    """Also with other settings of matplotlib, without ONNX Runtime, and from another place."""
    names = ("predicted", "calibrated", "printed", "intervention", "scores", "trial")
    for name in names:
        source = getattr(folders, name)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / source.name)
    (tmp_path / "matplotlibrc").write_text(
        "figure.facecolor: red\nfont.size: 20\nsvg.fonttype: none\naxes.grid: True\n"
    )
    root = folders.predicted.parent
    given = [str(tmp_path / getattr(folders, name).relative_to(root)) for name in names]
    code = (
        "import sys; from pathlib import Path; sys.modules['onnxruntime'] = None\n"
        "from dtb_runtime.report_contents import make_report\n"
        "Path(sys.argv[1]).write_bytes(make_report(sys.argv[3:], bundle=sys.argv[2]).html)"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "again.html"), str(TINY), *given],
        cwd=tmp_path,
        check=True,
    )
    again = (tmp_path / "again.html").read_bytes()
    # The printed summary is named with the folder that it lies in.
    old, new = f"{root.name}/printed.json", f"{tmp_path.name}/printed.json"
    assert again == everything.html.replace(old.encode(), new.encode())


def test_what_makes_pages_is_loaded_late(tmp_path: Path) -> None:
    code = (
        "import sys, dtb_runtime.report_contents\n"
        "print([n for n in ('jinja2', 'matplotlib', 'nilearn', 'PIL') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
