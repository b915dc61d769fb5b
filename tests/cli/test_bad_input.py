"""Bad input: one clear sentence on stderr, the right exit code, nothing half-written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Run = Callable[..., Any]
Matrix = NDArray[np.float64]

EVENTS_HEADER = "onset\tduration\ttrial_type\tstimulus_text\tstimulus_color\n"


@pytest.fixture
def refuse(dtb_run: Run, tmp_path: Path) -> Callable[..., str]:
    """Run a prediction that must fail; return the message and check everything around it."""

    def run(*arguments: object, code: int) -> str:
        out = tmp_path / "out"
        before = sorted(tmp_path.rglob("*"))
        done = dtb_run("predict", *arguments, "--participant-label", "01", "--out", out)
        assert done.code == code, done.err
        assert done.out == ""
        assert done.err.startswith("Error: ")
        assert done.err.endswith("\n")
        assert len(done.err.splitlines()) <= 2
        assert "Traceback" not in done.err
        assert sorted(tmp_path.rglob("*")) == before, "something was left behind"
        return str(done.err)

    return run


@pytest.fixture
def bundle_copy(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the test bundle, to be damaged."""
    return Path(shutil.copytree(tiny, tmp_path / "bundle"))


def _save(folder: Path, values: Matrix) -> Path:
    path = folder / "sub-01_connectome.npy"
    np.save(path, values)
    return path


def _write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_a_connectome_of_another_size(
    refuse: Callable[..., str], tiny: Path, tmp_path: Path
) -> None:
    message = refuse(_save(tmp_path, np.eye(7)), "--bundle", tiny, code=1)
    assert "sub-01_connectome.npy" in message
    assert "7 x 7" in message
    assert "12 x 12" in message
    assert "tiny12" in message


def test_not_a_number(
    refuse: Callable[..., str], correlations: Matrix, tiny: Path, tmp_path: Path
) -> None:
    correlations[3, 5] = correlations[5, 3] = np.nan
    message = refuse(_save(tmp_path, correlations), "--bundle", tiny, code=1)
    assert "row 4, column 6 is nan" in message
    assert "needs a number" in message


def test_an_asymmetric_matrix(
    refuse: Callable[..., str], correlations: Matrix, tiny: Path, tmp_path: Path
) -> None:
    correlations[2, 9] += 0.01
    message = refuse(_save(tmp_path, correlations), "--bundle", tiny, code=1)
    assert "symmetric" in message


def test_fisher_z_without_the_flag(
    refuse: Callable[..., str], correlations: Matrix, tiny: Path, tmp_path: Path
) -> None:
    strong = np.full((12, 12), 0.9)
    z = np.arctanh(np.where(np.eye(12, dtype=np.bool_), 0.0, strong))
    message = refuse(_save(tmp_path, z), "--bundle", tiny, code=1)
    assert "Fisher z" in message
    assert "--fisher-z" in message


@pytest.mark.parametrize("name", ["sub-01.npy", "sub-01.npz", "sub-01.csv", "sub-01.tsv"])
def test_an_empty_file(name: str, refuse: Callable[..., str], tiny: Path, tmp_path: Path) -> None:
    message = refuse(_write(tmp_path, name, b""), "--bundle", tiny, code=1)
    assert f"{name} is empty" in message


@pytest.mark.parametrize("name", ["sub-01.npy", "sub-01.npz", "sub-01.csv", "sub-01.txt"])
def test_binary_junk(name: str, refuse: Callable[..., str], tiny: Path, tmp_path: Path) -> None:
    junk = np.random.default_rng(1).bytes(4000)
    message = refuse(_write(tmp_path, name, junk), "--bundle", tiny, code=1)
    assert name in message


def test_a_directory(refuse: Callable[..., str], tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sub-01.npy"
    folder.mkdir()
    message = refuse(folder, "--bundle", tiny, code=1)
    assert "sub-01.npy" in message
    assert "folder" in message


def test_a_missing_file(refuse: Callable[..., str], tiny: Path, tmp_path: Path) -> None:
    message = refuse(tmp_path / "sub-02.npy", "--bundle", tiny, code=1)
    assert "There is no file at" in message
    assert "sub-02.npy" in message


def test_an_unknown_kind_of_file(refuse: Callable[..., str], tiny: Path, tmp_path: Path) -> None:
    message = refuse(_write(tmp_path, "sub-01.docx", b"x"), "--bundle", tiny, code=1)
    assert ".docx" in message
    assert ".npy" in message


def test_unknown_labels(
    refuse: Callable[..., str], correlations: Matrix, tiny: Path, tmp_path: Path
) -> None:
    labels = [f"region_{number}" for number in range(12)]
    lines = [",".join(["", *labels])]
    lines += [
        ",".join([label, *map(repr, row)])
        for label, row in zip(labels, correlations.tolist(), strict=True)
    ]
    table = _write(tmp_path, "sub-01.csv", "\n".join(lines).encode())
    message = refuse(table, "--bundle", tiny, code=1)
    assert "region_0" in message  # unknown
    assert "L_Vis1" in message  # missing
    assert "tiny12" in message


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            "onset\tduration\ttrial_type\tstimulus_text\n2\t2\tcon1\tred\n",
            ("stimulus_color", "column"),
        ),
        (EVENTS_HEADER + "-1\t2\tcon1\tred\tred\n", ("onset", "-1")),
        (
            EVENTS_HEADER + "2\t2\tcon1\tred\tred\n3\t2\tcon1\tred\tred\n",
            ("rows 1 and 2 overlap",),
        ),
        (EVENTS_HEADER + "soon\t2\tcon1\tred\tred\n", ("onset", "soon", "row 1")),
        (EVENTS_HEADER + "2\t2\tcon1\tred\tpurple\n", ("stimulus_color", "purple", "row 1")),
        (EVENTS_HEADER, ("no trials",)),
    ],
    ids=["missing column", "negative onset", "overlap", "no number", "unknown color", "no trials"],
)
def test_events_that_cannot_be_used(
    rows: str,
    words: tuple[str, ...],
    refuse: Callable[..., str],
    connectome: Path,
    tiny: Path,
    tmp_path: Path,
) -> None:
    events = _write(tmp_path, "events.tsv", rows.encode())
    message = refuse(connectome, "--bundle", tiny, "--task", "stroop", "--events", events, code=1)
    assert "events.tsv" in message
    for word in words:
        assert word in message


def test_an_unknown_task(refuse: Callable[..., str], connectome: Path, tiny: Path) -> None:
    message = refuse(connectome, "--bundle", tiny, "--task", "strop", code=2)
    assert "'strop'" in message
    assert "Did you mean 'stroop'?" in message


def test_an_unknown_bundle(refuse: Callable[..., str], connectome: Path) -> None:
    message = refuse(connectome, "--bundle", "nobody434", code=2)
    assert "nobody434" in message
    assert "shipped bundles" in message


@pytest.mark.parametrize(
    "name", ["main.onnx", "hypernetwork.onnx", "decoder.onnx", "norms.npz", "manifest.json"]
)
def test_a_bundle_with_one_flipped_byte(
    name: str, refuse: Callable[..., str], connectome: Path, bundle_copy: Path
) -> None:
    data = bytearray((bundle_copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (bundle_copy / name).write_bytes(data)
    message = refuse(connectome, "--bundle", bundle_copy, code=1)
    assert name in message


@pytest.mark.parametrize("name", ["main.onnx", "norms.npz", "MODEL_CARD.md", "manifest.json"])
def test_a_bundle_with_a_file_missing(
    name: str, refuse: Callable[..., str], connectome: Path, bundle_copy: Path
) -> None:
    (bundle_copy / name).unlink()
    message = refuse(connectome, "--bundle", bundle_copy, code=1)
    assert name in message
    assert str(bundle_copy) in message


def test_an_output_folder_under_a_file(
    dtb_run: Run, connectome: Path, tiny: Path, tmp_path: Path
) -> None:
    blocker = _write(tmp_path, "blocker", b"mine")
    before = sorted(tmp_path.rglob("*"))
    done = dtb_run("predict", connectome, "--bundle", tiny, "--out", blocker / "twins")
    assert done.code == 1
    assert done.out == ""
    assert done.err.startswith("Error: ")
    assert "blocker" in done.err
    assert "cannot be written" in done.err
    assert sorted(tmp_path.rglob("*")) == before
    assert blocker.read_bytes() == b"mine"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
def test_an_output_folder_that_is_not_writable(
    dtb_run: Run, connectome: Path, tiny: Path, tmp_path: Path
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    done = dtb_run("predict", connectome, "--bundle", tiny, "--out", locked)
    assert done.code == 1
    assert "cannot be written" in done.err
    assert list(locked.iterdir()) == []


def test_an_output_folder_on_a_read_only_system(dtb_run: Run, connectome: Path, tiny: Path) -> None:
    """Not even root can write there."""
    if not Path("/proc/self").is_dir():
        pytest.skip("no /proc on this system")
    done = dtb_run("predict", connectome, "--bundle", tiny, "--out", "/proc/self/twins")
    assert done.code == 1
    assert done.out == ""
    assert "cannot be written" in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("--no-such-option",),
        ("--seed", "minus"),
        ("--seed", "-1"),
        ("--device", "toaster"),
        ("a", "b"),
    ],
)
def test_wrong_options_are_usage_errors(
    arguments: tuple[str, ...], dtb_run: Run, connectome: Path
) -> None:
    done = dtb_run("predict", connectome, *arguments)
    assert done.code == 2
    assert done.out == ""
    assert "Error: " in done.err
    assert "Usage: dtb-run predict" in done.err


def test_a_missing_argument_is_a_usage_error(dtb_run: Run) -> None:
    done = dtb_run("predict")
    assert done.code == 2
    assert "CONNECTOME" in done.err


def test_the_process_ends_as_the_function_does(tiny: Path, tmp_path: Path) -> None:
    """The installed command itself: exit code, empty stdout, one line on stderr."""
    bad = _save(tmp_path, np.eye(7))
    command = [sys.executable, "-m", "dtb_cli.app", "predict", str(bad), "--bundle", str(tiny)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Error: sub-01_connectome.npy is 7 x 7")
    assert len(done.stderr.splitlines()) == 1
