"""What the documents say is true: code runs, commands and options exist, lists are complete."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtb_cli.app import main
from dtb_export.evaluation_figures import SEMI_SYNTHETIC, SIMULATED
from dtb_export.map_figures import MAP_METHODS, MAPS
from dtb_models.metric_definitions import METRICS
from dtb_models.protocols import PROTOCOLS
from dtb_runtime import bundle_layout, edges, manifest, manifest_sections, norms, onnx_scan

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("dtb_runtime", "models", "export", "cli")
README = ROOT / "README.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def _blocks(page: Path, *languages: str) -> list[str]:
    """Content of the page's fenced blocks in these languages."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [block for language, block in found if language in languages]


def _commands(page: Path) -> list[str]:
    """Command lines of the page's shell blocks, continuation lines joined."""
    lines = "".join(_blocks(page, "sh", "bash", "console")).replace("\\\n", " ").splitlines()
    stripped = (line.strip().removeprefix("$ ") for line in lines)
    return [line for line in stripped if line and not line.startswith("#")]


def _dtb_run_lines() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for line in _commands(page):
            if line.startswith("dtb-run "):
                yield page.relative_to(ROOT).as_posix(), line


@pytest.fixture
def beside_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder that has the examples and is not the checkout."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_python_in_the_readme_runs(
    beside_examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = _blocks(README, "python")
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(block, "README.md", "exec"), names)
    assert capsys.readouterr().out.strip()
    forecast = names["forecast"]
    assert forecast.warnings
    assert 0.0 < forecast.indicators["stroop_effect"] < 0.5
    assert 0.5 < forecast.indicators["reaction_time"] < 1.5
    assert np.isfinite(forecast.trials["response_time"]).all()


def test_the_python_in_the_page_on_calibration_runs(
    beside_examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = _blocks(ROOT / "docs" / "calibrate.md", "python")
    names: dict[str, Any] = {"__name__": "calibrate"}
    exec(compile(block, "calibrate.md", "exec"), names)
    low, high = names["forecast"].indicator_intervals["reaction_time:hammer"]
    assert capsys.readouterr().out == f"{(low, high)}\n"
    assert 0.3 < low < high < 2.0


@pytest.mark.parametrize(
    "line", [line for line in _commands(README) if line.startswith("dtb-run ")]
)
def test_a_command_in_the_readme_runs(
    line: str, beside_examples: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(shlex.split(line, comments=True)[1:]) == 0
    assert capsys.readouterr().out.strip()


def test_the_readme_shows_only_commands_that_are_tested() -> None:
    known = ("dtb-run ", "make ", "pip install ")
    assert [line for line in _commands(README) if not line.startswith(known)] == []


@pytest.mark.parametrize(("page", "line"), sorted(set(_dtb_run_lines())))
def test_a_documented_command_has_its_options(
    page: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(line, comments=True)[1:]
    options = [word.split("=")[0] for word in words if word.startswith("-")]
    command = []
    for word in words:  # "evaluate reference" is two words, "predict FILE" is one
        if not re.fullmatch(r"[a-z]+", word) or main([*command, word, "--help"]) != 0:
            break
        help_page = capsys.readouterr().out
        if f"dtb-run {' '.join([*command, word])}" not in re.sub(r"\s+", " ", help_page):
            break
        command.append(word)
    capsys.readouterr()
    assert command, f"{page}: no such command: {line}"
    assert main([*command, "--help"]) == 0
    help_page = capsys.readouterr().out
    missing = [option for option in options if not re.search(rf"{option}\b", help_page)]
    assert missing == [], f"{page}: {line}"


COMMANDS = [
    "predict",
    "bids",
    "harmonize",
    "sign",
    "serve",
    "report",
    "demo",
    "calibrate",
    "simulate",
    "train",
    "export",
    "evaluate",
    "bundles",
    "inspect",
    "doctor",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_help_page_keeps_its_line_breaks(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a raw docstring the mark that keeps them is printed instead."""
    assert main([command, "--help"]) == 0
    help_page = capsys.readouterr().out
    assert "\\b" not in help_page
    assert help_page.splitlines()[0].startswith(f"Usage: dtb-run {command}")


def test_every_make_target_that_is_named_exists() -> None:
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", rules, flags=re.MULTILINE))
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    named = set(re.findall(r"`make ([a-z]+)", text))
    named |= {line.split()[1] for page in PAGES for line in _commands(page) if line[:5] == "make "}
    assert {"demo", "test"} <= named
    assert sorted(named - targets) == []


def test_every_extra_that_is_named_exists() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = set(settings["project"]["optional-dependencies"])
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    named = {
        extra
        for listed in re.findall(r"(?:\.|dtb-runtime)\[([a-z,]+)\]", text)
        for extra in listed.split(",")
    }
    assert {"cpu", "gpu", "torch"} <= named
    assert sorted(named - extras) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    inside = [target for target in targets if "://" not in target]
    assert [target for target in inside if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_map_names_every_room(folder: str) -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {path.name for path in (ROOT / folder).glob("*.py")} - {"__init__.py"}
    section = text.partition(f"## {folder}/")[2].partition("\n## ")[0]
    assert sorted(room for room in rooms if f"`{room}`" not in section) == []
    named = set(re.findall(r"`(\w+\.py)`", section))
    assert sorted(named - rooms) == []


def test_the_format_page_lists_what_the_runtime_accepts() -> None:
    text = (ROOT / "docs" / "bundle-format.md").read_text(encoding="utf-8")
    listed = re.search(r"an operator other than (.*?)\.", text, flags=re.DOTALL)
    assert listed is not None
    operators = set(re.findall(r"[A-Z]\w+", listed[1]))
    assert operators == set(onnx_scan.ALLOWED_OPERATORS)
    assert f"{bundle_layout.MAX_BUNDLE_BYTES // 1024**2} MiB" in text
    assert f"({edges.FISHER_CLIP})" in text
    assert f"(indicators, {norms.N_QUANTILES})" in text


def test_the_format_page_lists_every_key_of_a_manifest() -> None:
    text = (ROOT / "docs" / "bundle-format.md").read_text(encoding="utf-8")
    section = text.partition("## manifest.json")[2].partition("\n## ")[0]
    keys = {*manifest.Manifest.__dataclass_fields__, "schema_version", "checksum", "graphs"}
    keys |= set(manifest_sections.Training.__dataclass_fields__)
    keys |= {*manifest_sections.Normalization.__dataclass_fields__, "fisher_clip", "sha256", "size"}
    assert sorted(key for key in keys if f"`{key}`" not in section) == []


def test_the_page_about_evaluations_names_every_metric() -> None:
    text = (ROOT / "docs" / "evaluate.md").read_text(encoding="utf-8")
    section = text.partition("## The figures")[2]
    assert sorted(name for name in METRICS if f"`{name}`" not in section) == []


def test_the_format_page_lists_the_evaluations_in_measured() -> None:
    text = (ROOT / "docs" / "bundle-format.md").read_text(encoding="utf-8")
    section = text.partition("### Names in `measured`")[2].partition("\n## ")[0]
    names = {f"`{name}`" for name in (*PROTOCOLS, MAPS)}
    names |= {f"`{prefix}...`" for prefix in (SIMULATED, SEMI_SYNTHETIC)}
    names |= {f"`{method}`" for method in MAP_METHODS}
    assert sorted(name for name in names if name not in section) == []


def test_a_decision_fits_one_screen_and_is_dated() -> None:
    pages = [page for page in (ROOT / "docs" / "decisions").glob("*.md") if page.stem != "README"]
    assert pages
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 45, page.name
        assert re.match(r"\d{4}-\d{2}-\d{2}-", page.name), page.name
        assert page.name[:10] in text.splitlines()[:4], page.name


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text(encoding="utf-8")
    pages = {page.name for page in folder.glob("*.md")} - {"README.md"}
    assert sorted(page for page in pages if f"({page})" not in listed) == []


@pytest.mark.skipif(os.name != "posix", reason="file modes are a POSIX matter")
def test_ci_calls_the_documented_commands_only() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = [line for line in script.read_text(encoding="utf-8").splitlines() if line]
    steps = [line for line in lines if not line.startswith(("#", "set ", "cd "))]
    assert steps == ["make lint", "make types", "make demo", "make test"]
