"""`--hash-ids` of `dtb-run score` and `dtb-run trial` as a person uses it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dtb_runtime.hashed_ids import hashed_id

from .conftest import TINY, Outcome

Run = Callable[..., Outcome]
KEY = b"5f0c1d7e9a8b4632"
IDS = ("sub-MRN4711", "sub-MRN4712", "sub-MRN4713", "sub-MRN4714")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "study.key"
    path.write_bytes(KEY + b"\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """Three people and a broken file."""
    folder = tmp_path / "cohort"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for who in IDS:
        matrix = np.corrcoef(rng.normal(size=(200, 12)).T)
        np.save(folder / f"{who}_connectome.npy", matrix)
    (folder / f"{IDS[3]}_connectome.npy").write_bytes(b"broken")
    return folder


def assert_no_id(done: Outcome, out: Path) -> None:
    assert "MRN47" not in done.out + done.err
    for path in out.rglob("*"):
        assert "MRN47" not in path.name
        if path.is_file():
            assert b"MRN47" not in path.read_bytes(), path


def test_score_says_and_writes_no_id(dtb_run: Run, cohort: Path, key: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("score", cohort, "--bundle", TINY, "--out", out, "--jobs", "1", "--files")
    done = dtb_run(*words, "--hash-ids", "--hash-key", key)
    assert done.code == 1
    assert_no_id(done, out)
    broken = hashed_id(IDS[3], KEY)
    assert f"The first of those that failed: {broken}.npy is not a NumPy array" in done.err
    assert {path.name for path in (out / "people").iterdir()} == {
        hashed_id(who, KEY) for who in IDS[:3]
    }
    result = dtb_run(*words, "--hash-ids", "--hash-key", key, "--json")
    assert json.loads(result.out)["scored_before"] == 4
    assert_no_id(result, out)
    refused = dtb_run(*words)
    assert refused.code == 1
    assert "holds the results of another run" in refused.err
    failed = dtb_run(*words, "--hash-ids", "--hash-key", key, "--fail-fast", "--force")
    assert f"in the order of their ids, failed: {broken}.npy" in failed.err
    assert_no_id(failed, out)


def test_workers_say_no_id_either(cohort: Path, key: Path, tmp_path: Path) -> None:
    """What processes print goes past Python's own streams."""
    words = ["score", str(cohort), "--bundle", str(TINY), "--out", str(tmp_path / "out")]
    words += ["--jobs", "2", "--hash-ids", "--hash-key", str(key)]
    code = "import sys; from dtb_cli.app import main\nif __name__ == '__main__': sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert_no_id(Outcome(done.returncode, done.stdout, done.stderr), tmp_path / "out")


def test_trial_says_and_writes_no_id(dtb_run: Run, cohort: Path, key: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="new plans need torch")
    (cohort / f"{IDS[2]}_connectome.npy").unlink()
    aim = ("--target", "reaction_time", "--direction", "decrease", "--size", "0.02")
    made = ("intervene", cohort / f"{IDS[0]}_connectome.npy", *aim, "--bundle", TINY)
    assert dtb_run(*made, "--shams", "0", "--out", tmp_path / "plan").code == 0
    assert "MRN4711" in (tmp_path / "plan" / "plan.json").read_text()
    words = ("trial", cohort, "--bundle", TINY, "--jobs", "1", "--files", "--hash-ids")
    for name, more in (("new", aim), ("ready", ("--plan", tmp_path / "plan"))):
        out = tmp_path / name
        done = dtb_run(*words, *more, "--hash-key", key, "--out", out)
        assert done.code == 1
        assert_no_id(done, out)
        assert (out / "people" / hashed_id(IDS[1], KEY)).is_dir()
    # Nobody can be read, so there is no common plan: the reason names nobody.
    for who in IDS[:2]:
        (cohort / f"{who}_connectome.npy").write_bytes(b"broken")
    none = dtb_run(*words, *aim, "--hash-key", key, "--out", tmp_path / "none")
    assert none.code == 1
    assert "No connectome of" in none.err
    assert "MRN47" not in none.err


def test_a_key_is_needed_apart_and_secret(
    dtb_run: Run, cohort: Path, key: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ("score", cohort, "--bundle", TINY, "--out", out, "--jobs", "1")

    def refused(match: str, *more: object) -> None:
        done = dtb_run(*words, *more)
        assert done.code == 2
        assert match in done.err
        assert not out.exists()

    refused("--hash-ids needs a key (--hash-key FILE): ids are short", "--hash-ids")
    refused("--hash-key is for --hash-ids", "--hash-key", key)
    refused("There is no key", "--hash-ids", "--hash-key", tmp_path / "none")
    (tmp_path / "short").write_bytes(b"1234")
    refused("has 4 bytes, expected at least 16", "--hash-ids", "--hash-key", tmp_path / "short")
    out.mkdir()
    (out / "study.key").write_bytes(KEY)
    done = dtb_run(*words, "--hash-ids", "--hash-key", out / "study.key")
    assert done.code == 2
    assert "lies in the folder of the results" in done.err


def test_what_the_user_should_know_is_said(
    dtb_run: Run, cohort: Path, key: Path, tmp_path: Path
) -> None:
    table = tmp_path / "people.tsv"
    lines = [f"{who}\tcohort/{who}_connectome.npy\t{who[4:]}" for who in IDS[:3]]
    text = "\n".join(["participant_id\tpath\thospital_number", *lines])
    table.write_text(text + "\n", encoding="utf-8")
    if os.name == "posix":
        key.chmod(0o644)
    words = ("score", table, "--bundle", TINY, "--out", tmp_path / "out", "--jobs", "1")
    done = dtb_run(*words, "--hash-ids", "--hash-key", key)
    assert done.code == 0
    assert "3 cells of the column 'hospital_number' hold participant ids" in done.err
    assert ("others on this machine may read study.key" in done.err) == (os.name == "posix")
    assert "MRN4711" in (tmp_path / "out" / "cohort.tsv").read_text()  # the user's own column
