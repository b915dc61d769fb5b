"""`dtb-run report` as a person runs it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import TINY, Outcome

for needed in ("jinja2", "matplotlib", "nilearn"):
    pytest.importorskip(needed, reason="a report needs the extra [report]")

Run = Callable[..., Outcome]
SUMMARY = "sub-01_desc-twin_summary.json"


@pytest.fixture
def twins(dtb_run: Run, few_draws: None, connectome: Path, tmp_path: Path) -> Path:
    """A folder that `predict` wrote, without the contrasts, which take the longest to draw."""
    out = tmp_path / "twins"
    done = dtb_run("predict", connectome, "--bundle", TINY, "--task", "hammer", "--out", out)
    assert done.code == 0, done.err
    for path in out.glob("*_contrasts.*"):
        path.unlink()
    return out


def test_a_page_is_written_and_said_to_be(dtb_run: Run, twins: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "report.html"
    words = ("report", twins, "--bundle", TINY, "--out", out)
    done = dtb_run(*words)
    assert done.code == 0, done.err
    assert done.out == ""
    assert done.err.startswith(f"Wrote {out}: Digital twin of sub-01, 5 pictures, 0.")
    first = out.read_bytes()
    assert b"not a medical device" in first
    again = dtb_run(*words)
    assert again.code == 1
    assert "exists already" in again.err
    assert dtb_run(*words, "--force").code == 0
    assert out.read_bytes() == first


def test_as_json_it_says_what_is_on_the_page(dtb_run: Run, twins: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    done = dtb_run("report", twins, "--bundle", TINY, "--out", out, "--json", "--region", "R_Vis1")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["file"] == str(out)
    assert result["bytes"] == out.stat().st_size < 5_000_000
    assert result["bundle"] == "tiny"
    assert result["sections"][:3] == ["Who and what", "How unusual the connectome is", "Indicators"]
    assert result["left_out"] == []
    assert str(twins / SUMMARY) in result["inputs"]
    assert b"R_Vis1" in out.read_bytes()


def test_what_is_left_out_is_said(dtb_run: Run, twins: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    done = dtb_run("report", twins / SUMMARY, "--out", out)
    assert done.code == 0
    lines = done.err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(
        "Where the training cohort's connectomes lie is left out: the bundle"
    )
    assert "give its folder with --bundle" in lines[0]
    assert lines[1].startswith("The centile strips of the indicators are left out: the bundle 'ti")
    assert lines[0].replace("'", "&#39;") in out.read_text(encoding="utf-8")


def test_what_predict_printed_is_enough(
    dtb_run: Run, few_draws: None, connectome: Path, tmp_path: Path
) -> None:
    printed = dtb_run("predict", connectome, "--bundle", TINY, "--task", "stroop", "--json")
    (tmp_path / "printed.json").write_text(printed.out, encoding="utf-8")
    out = tmp_path / "report.html"
    done = dtb_run("report", tmp_path / "printed.json", "--bundle", TINY, "--out", out)
    assert done.code == 0, done.err
    assert "2 pictures" in done.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("{twins}", "--region", "nowhere"), 2, "has no region 'nowhere'"),
        (("{twins}", "--participant-label", "02"), 2, "There is no forecast of sub-02"),
        (("{twins}", "--bundle", "tcp434"), 2, "but --bundle gives 'tcp434'"),
        (("{twins}/nothing",), 1, "There is no file at"),
        (("{connectome}",), 1, "sub-01_connectome.npy is no file that a report shows"),
        (
            ("{twins}", "--out", "{twins}/" + SUMMARY, "--force"),
            1,
            "is one of the files that go in",
        ),
        (("{twins}", "--out", "{connectome}/report.html"), 1, "Choose a folder you can write to"),
        (("{twins}", "--out", "/"), 2, "--out is the page to write"),
    ],
)
def test_what_makes_no_sense_is_refused(
    dtb_run: Run,
    twins: Path,
    connectome: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    code: int,
    message: str,
) -> None:
    if os.name != "posix" and words[-1] == "/":
        pytest.skip("a root without a name is a POSIX matter")
    monkeypatch.chdir(tmp_path)
    before = (twins / SUMMARY).read_bytes()
    given = (word.format(twins=twins, connectome=connectome) for word in words)
    done = dtb_run("report", *given)
    assert done.code == code, done.err
    assert message in done.err
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "report.html").exists()
    assert (twins / SUMMARY).read_bytes() == before


@pytest.mark.parametrize("name", ["jinja2", "matplotlib", "nilearn"])
def test_a_missing_package_is_a_sentence(
    dtb_run: Run, twins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    done = dtb_run("report", twins, "--out", tmp_path / "report.html")
    assert done.code == 1
    assert f"needs {name}, which is not installed" in done.err
    assert "pip install 'dtb-runtime[report]'" in done.err


def test_a_damaged_bundle_is_refused(dtb_run: Run, twins: Path, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(TINY, tmp_path / "bundle"))
    (bundle / "norms.npz").write_bytes(b"nothing")
    done = dtb_run("report", twins, "--bundle", bundle, "--out", tmp_path / "report.html")
    assert done.code == 1
    assert "norms.npz should be" in done.err
