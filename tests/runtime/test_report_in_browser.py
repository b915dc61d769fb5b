"""A report in a real browser: it needs nothing, complains of nothing, and anybody can read it.

Needs playwright and axe-playwright-python (the extra [browser]) and a Chromium: that of the system,
or the one of playwright.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dtb_runtime.report_blocks import DataTable, Document, Paragraph, Section
from dtb_runtime.report_page import render

from .report_files import whole_report

for needed in ("jinja2", "matplotlib", "nilearn"):
    pytest.importorskip(needed, reason="a report needs the extra [report]")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
)

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SCHEMES = ("light", "dark")
IMAGES = """() => Array.from(document.images).map(image => ({
    width: image.naturalWidth, source: image.currentSrc, light: image.getAttribute("src"),
    dark: image.parentElement.querySelector("source").getAttribute("srcset"),
}))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium, where there is one."""
    with sync_api.sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        found = next(filter(None, map(shutil.which, BROWSERS)), None)
        if found is None and not own.exists():
            pytest.skip("no Chromium is installed, neither the system's nor playwright's")
        # As root, such as in a container, Chromium runs without its sandbox or not at all.
        running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of all kinds of files at once."""
    report = whole_report(tmp_path_factory.getbasetemp() / "report_files")
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_bytes(report.html)
    return path


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a file; what the page asks for or complains of is kept in `page.said`."""
    contexts = []

    def show(path: Path, scheme: str = "light", **how: Any) -> Any:
        context = browser.new_context(color_scheme=scheme, **how)
        contexts.append(context)
        page = context.new_page()
        page.said = []
        page.on("console", lambda message: page.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("dialog", lambda dialog: (page.said.append("a dialog"), dialog.dismiss()))
        page.on(
            "request",
            lambda request: (
                request.url.startswith(("data:", path.as_uri())) or page.said.append(request.url)
            ),
        )
        page.goto(path.as_uri(), wait_until="load")
        return page

    yield show
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_nothing_is_asked_for_and_nothing_complained_of(
    opened: Callable[..., Any], file: Path, scheme: str
) -> None:
    page = opened(file, scheme)
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    assert page.said == []


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_picture_is_shown_in_the_colors_of_the_page(
    opened: Callable[..., Any], file: Path, scheme: str
) -> None:
    images = opened(file, scheme).evaluate(IMAGES)
    assert len(images) >= 12
    for image in images:
        assert image["width"] > 100
        assert image["source"] == image[scheme]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_accessibility_checker_finds_nothing(
    opened: Callable[..., Any], file: Path, scheme: str
) -> None:
    page = opened(file, scheme)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    found = axe.Axe().run(page).response["violations"]
    assert [(each["id"], each["impact"], each["nodes"][0]["html"]) for each in found] == []


def test_on_paper_it_is_light_and_whole(opened: Callable[..., Any], file: Path) -> None:
    page = opened(file, "dark")
    page.emulate_media(media="print", color_scheme="dark")
    style = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(style) == "rgb(255, 255, 255)"
    assert all(image["source"] == image["light"] for image in page.evaluate(IMAGES))
    assert page.evaluate("getComputedStyle(document.querySelector('details')).display") == "none"
    assert page.pdf().startswith(b"%PDF")
    assert page.said == []


@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_a_phone_and_a_desk(opened: Callable[..., Any], file: Path, width: int) -> None:
    """Tables that are wider scroll by themselves, and not the page."""
    page = opened(file, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_can_be_walked_through_by_keyboard(opened: Callable[..., Any], file: Path) -> None:
    page = opened(file)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.url.endswith("#content")
    headings = page.evaluate("Array.from(document.querySelectorAll('h1,h2,h3'), e => e.tagName)")
    assert headings[0] == "H1"


def test_hostile_names_run_nothing(opened: Callable[..., Any], tmp_path: Path) -> None:
    hostile = (
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "javascript:alert(1)",
        "</style><script src=//example.org/x.js></script>",
    )
    blocks = (
        *map(Paragraph, hostile),
        *(DataTable.of(each, (each,), [(each,)]) for each in hostile),
    )
    document = Document(hostile[0], hostile[1], hostile, (Section("a", hostile[3], blocks),))
    path = tmp_path / "hostile.html"
    path.write_bytes(render(document))
    page = opened(path)
    assert page.said == []
    assert page.title() == hostile[0]
    for name in hostile:
        assert page.get_by_text(name, exact=True).count() >= 2
    # Even markup that had got in could not run: the page's own policy forbids it.
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=data:x onerror=alert(1)>')"
    )
    page.wait_for_timeout(200)
    assert "a dialog" not in page.said
    assert any("Content Security Policy" in said for said in page.said)
