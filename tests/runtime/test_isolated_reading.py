"""The process that reads: the same arrays, and one sentence for whatever happens to it."""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import subprocess
import sys
import textwrap
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtb_runtime import isolated_reading, reading_child, reading_process
from dtb_runtime.cohort_entry import CohortEntry
from dtb_runtime.errors import (
    ConnectomeError,
    DtbError,
    MissingDependencyError,
    UnreadConnectomeError,
)
from dtb_runtime.hdf5_files import read_hdf5
from dtb_runtime.isolated_reading import Limits, end_process, read_isolated
from dtb_runtime.raw_array import RawArray
from dtb_runtime.reading import Reading
from dtb_runtime.reading_answers import Answer, AnswerError, Failure, receive, send
from dtb_runtime.reading_process import ReadingProcess
from dtb_runtime.score_rows import failed_row

h5py = pytest.importorskip("h5py", reason="h5py is an extra")
scipy_io = pytest.importorskip("scipy.io", reason="scipy is an extra")
pandas = pytest.importorskip("pandas", reason="pandas is the independent writer")
pytest.importorskip("pyarrow", reason="pyarrow is an extra")

VALUES = np.array([[1.0, 0.25, np.nan], [0.25, 1.0, 0.125], [-0.5, 0.125, 1.0], [0.0, 2.5e-3, 7.0]])
NAMES = ("a", "Größe", "c 1")
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such limits and signals")


@pytest.fixture(autouse=True)
def _no_process_stays() -> Iterator[None]:
    """Every test starts its own process, with what the test prepared."""
    end_process()
    yield
    end_process()


def read(path: Path, variable: str | None = None) -> RawArray:
    """Read in the other process."""
    return read_isolated(path, Reading(variable=variable), ending=path.suffix)


def written(path: Path) -> Path:
    """The values and names in the format of the ending."""
    if path.suffix == ".mat":
        labels = np.array([NAMES], dtype=object)
        scipy_io.savemat(path, {"timeseries": VALUES, "labels": labels})
    elif path.suffix == ".parquet":
        pandas.DataFrame(VALUES, columns=list(NAMES), index=list("wxyz")).to_parquet(path)
    else:
        with h5py.File(path, "w") as file:
            file["timeseries"] = VALUES
            file["labels"] = list(NAMES)
    return path


def process_id() -> int | None:
    """Of the process that waits for the next file."""
    process = isolated_reading._state.process
    return None if process is None else process._popen.pid


def limit(monkeypatch: pytest.MonkeyPatch, **limits: Any) -> None:
    """Other limits than those of use."""
    monkeypatch.setattr(isolated_reading, "LIMITS", Limits(**limits))


def is_kept(error: Exception) -> bool:
    """Whether a cohort's run keeps this failure until the file changes."""
    return failed_row(CohortEntry("sub-1", None, None), error, (1, 2)).stamp is not None


@pytest.fixture
def as_h5py(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Callable[[], RawArray]]:
    """A module that the other process imports as h5py, with this code: a library gone mad."""

    def as_h5py(code: str) -> Callable[[], RawArray]:
        path = written(tmp_path / "c.h5")
        folder = tmp_path / "libraries"
        folder.mkdir()
        (folder / "h5py.py").write_text(textwrap.dedent(code))
        monkeypatch.syspath_prepend(folder)
        return lambda: read(path)

    return as_h5py


# ---- the same arrays


@pytest.mark.parametrize("ending", reading_child.READERS)
def test_every_format_comes_through(tmp_path: Path, ending: str) -> None:
    path = written(tmp_path / f"c{ending}")
    raw, direct = read(path), reading_child.READERS[ending](path, Reading())
    np.testing.assert_array_equal(raw.values, VALUES)
    assert raw.values.dtype == np.float64
    assert raw.labels == NAMES
    for name in ("labels", "row_labels", "kind", "scale", "why", "mean_fd_mm", "notes"):
        assert getattr(raw, name) == getattr(direct, name)


def test_what_a_reader_refuses_comes_through(tmp_path: Path) -> None:
    path = written(tmp_path / "c.h5")
    with pytest.raises(ConnectomeError) as direct:
        read_hdf5(path, Reading(variable="no"))
    with pytest.raises(ConnectomeError) as caught:
        read(path, "no")
    assert str(caught.value) == str(direct.value)


def test_a_missing_package_comes_through(as_h5py: Callable[[str], Callable[[], RawArray]]) -> None:
    read_it = as_h5py("raise ImportError('not here')")
    message = r"needs h5py \(not here\)\. Install it with: pip install 'dtb-runtime\[imaging\]'"
    with pytest.raises(MissingDependencyError, match=message) as caught:
        read_it()
    assert not is_kept(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems may not keep the limit")
def test_a_package_that_finds_no_memory_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(monkeypatch, memory_bytes=130_000_000)  # Arrow alone is as large
    with pytest.raises(UnreadConnectomeError, match=r"needs more than the 0\.1 GB of memory"):
        read(written(tmp_path / "c.parquet"))


def test_a_process_that_cannot_be_started_says_nothing_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    path = written(tmp_path / "c.h5")
    with monkeypatch.context() as patched:
        patched.setattr(reading_process.subprocess, "Popen", refuse)
        with pytest.raises(ConnectomeError, match="cannot be started: Cannot alloc") as caught:
            read(path)
        assert not is_kept(caught.value)
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(ConnectomeError, match="this program has no Python to start") as caught:
        read(path)
    assert not is_kept(caught.value)


@pytest.mark.parametrize("ending", reading_child.READERS)
def test_a_file_that_is_bad_is_not_read_again(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"c{ending}"
    whole = written(path).read_bytes()
    for content in (b"hello", whole[: len(whole) // 2], whole[:-9]):
        path.write_bytes(content)
        with pytest.raises(ConnectomeError) as caught:
            read(path)
        assert is_kept(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems allow fewer names of files")
@pytest.mark.parametrize("name", ["a b.h5", "Größe.h5", "a\nb.h5", os.fsdecode(b"\xff.h5")])
def test_any_name_of_a_file_is_passed_on(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(written(tmp_path / "c.h5").read_bytes())
    np.testing.assert_array_equal(read(path).values, VALUES)
    path.write_bytes(b"hello")
    with pytest.raises(ConnectomeError, match="cannot be read as HDF5") as caught:
        read(path)
    assert str(caught.value).isprintable()


def test_a_path_is_that_of_the_process_that_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "c.h5")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    read(Path("c.h5"))
    monkeypatch.chdir(tmp_path / "folder")
    np.testing.assert_array_equal(read(Path("../c.h5")).values, VALUES)


def test_threads_take_turns(tmp_path: Path) -> None:
    paths = [written(tmp_path / f"{i}{end}") for i in range(4) for end in reading_child.READERS]
    with ThreadPoolExecutor(4) as threads:
        for raw in threads.map(read, paths):
            np.testing.assert_array_equal(raw.values, VALUES)


# ---- one process for many files


def test_the_process_is_kept_until_a_library_fails(tmp_path: Path) -> None:
    path = written(tmp_path / "c.h5")
    read(path)
    first = process_id()
    assert first is not None
    with pytest.raises(ConnectomeError, match="no data set 'no'"):  # our own sentence
        read(path, "no")
    read(written(tmp_path / "c.mat"))
    assert process_id() == first
    (tmp_path / "d.h5").write_bytes(b"hello")
    with pytest.raises(ConnectomeError, match="cannot be read as HDF5"):
        read(tmp_path / "d.h5")
    assert process_id() is None
    np.testing.assert_array_equal(read(path).values, VALUES)
    assert process_id() not in (None, first)


@posix
def test_a_process_that_was_killed_meanwhile_is_replaced(tmp_path: Path) -> None:
    path = written(tmp_path / "c.h5")
    read(path)
    process = isolated_reading._state.process
    assert process is not None
    process._popen.kill()
    process._popen.wait()
    np.testing.assert_array_equal(read(path).values, VALUES)


def test_a_process_that_just_ended_for_lack_of_questions_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = reading_process._START.replace("main()", "main.__globals__.update(IDLE_S=0.01); main()")
    monkeypatch.setattr(reading_process, "_START", start)
    path = written(tmp_path / "c.h5")
    read(path)
    process = isolated_reading._state.process
    assert process is not None
    assert process._popen.wait() == 0
    # As if it had ended only after this was asked:
    monkeypatch.setattr(ReadingProcess, "has_ended", False)
    monkeypatch.setattr(reading_process, "_START", start.replace("0.01", "60"))
    np.testing.assert_array_equal(read(path).values, VALUES)


def test_a_key_that_is_pressed_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "c.h5")

    def press(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(reading_process, "receive", press)
        with pytest.raises(KeyboardInterrupt):
            read(path)
    assert process_id() is None
    np.testing.assert_array_equal(read(path).values, VALUES)


# ---- whatever happens to it


@posix
@pytest.mark.parametrize(
    ("code", "message", "is_the_file"),
    [
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
            r"^c\.h5 made the process that reads it end abruptly \(SIGSEGV\)\. .* as \.npy",
            True,
        ),
        ("import os; os.abort()", r"end abruptly \(SIGABRT\)", True),
        ("import os; os.kill(os.getpid(), 9)", r"system ended the process .*\(SIGKILL\)", False),
        ("import os; os.kill(os.getpid(), 15)", r"something ended the .*\(SIGTERM\)", False),
        ("import os; os._exit(3)", r"ended with exit code 3, .* dtb-run doctor", False),
        ("import os; os._exit(0)", "ended with exit code 0", False),
        ("raise SystemExit", "ended with exit code 0", False),
        ("x = bytearray(2**33)", r"^c\.h5 needs more than the 4\.3 GB of memory", False),
        (
            "raise ImportError('libhdf5.so: failed to map segment from shared object')",
            r"^c\.h5 needs more than the 4\.3 GB of memory",
            False,
        ),
        (
            "try:\n    raise MemoryError\nexcept MemoryError:\n    raise ImportError('broken')",
            r"^c\.h5 needs more than the 4\.3 GB of memory",
            False,
        ),
        ("raise OSError(12, 'Cannot allocate memory')", r"^c\.h5 needs more than the", False),
        (
            "def File(*_):\n    raise PermissionError(13, 'Unable to open file')",
            r"^c\.h5 cannot be read as HDF5 \(Permission denied\)\. Check its permissions",
            False,
        ),
        (
            "def File(*_):\n    raise OSError('file signature not found')",
            r"^c\.h5 cannot be read as HDF5 \(file signature not found\)",
            True,
        ),
        (
            "x = [].no",
            r"reader of \.h5 files failed with AttributeError at h5py\.py:1 \('list' object has no",
            False,
        ),
        (
            """
            import os
            for n in range(3, 20):
                try:
                    os.write(n, b"hello\\n")
                except OSError:
                    pass
            """,
            r"the process that reads it answered no JSON\. The file is damaged or made to",
            True,
        ),
    ],
)
def test_whatever_a_library_does_becomes_a_sentence(
    as_h5py: Callable[[str], Callable[[], RawArray]],
    tmp_path: Path,
    code: str,
    message: str,
    is_the_file: bool,
) -> None:
    read_it = as_h5py(code)
    with pytest.raises(ConnectomeError, match=message) as caught:
        read_it()
    assert is_kept(caught.value) == is_the_file
    assert "\n" not in str(caught.value)
    assert process_id() is None
    read(written(tmp_path / "c.mat"))  # the next one is not its matter


@posix
def test_a_library_that_hangs_is_stopped(
    as_h5py: Callable[[str], Callable[[], RawArray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    read_it = as_h5py("import time; time.sleep(10_000)")
    limit(monkeypatch, wall_s=0.5)
    with pytest.raises(ConnectomeError, match=r"^c\.h5 was not read within 0\.5 s, so") as caught:
        read_it()
    assert not is_kept(caught.value)


@posix
def test_a_library_that_never_ends_its_work_is_stopped(
    as_h5py: Callable[[str], Callable[[], RawArray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    read_it = as_h5py("while True: pass")
    limit(monkeypatch, cpu_s=1)
    with pytest.raises(ConnectomeError, match=r"^c\.h5 took more than 1 s of work, so") as caught:
        read_it()
    assert is_kept(caught.value)


@posix
def test_a_file_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "c.mat")
    limit(monkeypatch, wall_s=1.0)
    with pytest.raises(ConnectomeError, match=r"^c\.mat was not read within 1 s"):
        read(tmp_path / "c.mat")


@posix
def test_time_is_counted_for_each_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "c.mat")  # scipy takes a large part of a second to be imported
    limit(monkeypatch, cpu_s=2)
    read(path)
    first = process_id()
    for _ in range(300):
        read(path)
    assert process_id() == first


def test_what_a_library_prints_is_no_answer(
    as_h5py: Callable[[str], Callable[[], RawArray]],
) -> None:
    read_it = as_h5py(
        """
        import os, sys
        print("hello", flush=True)
        os.write(1, b"hello\\n")
        os.write(2, b"hello\\n")
        sys.path.pop(0)
        del sys.modules["h5py"]
        import h5py
        """
    )
    np.testing.assert_array_equal(read_it().values, VALUES)


@posix
@pytest.mark.parametrize("ending", [".mat", ".h5"])
def test_a_few_bytes_that_unpack_to_gigabytes_are_refused(tmp_path: Path, ending: str) -> None:
    # 1.6 GB of zeros, as one flushed block again and again.
    packer = zlib.compressobj(9)
    head = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    path = tmp_path / f"c{ending}"
    if ending == ".mat":
        n_bytes = 1600 * 2**20
        flags = struct.pack("<4I", 6, 8, 6, 0)
        shape = struct.pack("<2I2i", 5, 8, 100, 100) + struct.pack("<2I", 1 | 2 << 16, 0x6366)
        start = struct.pack("<2I", 14, n_bytes) + flags + shape + struct.pack("<2I", 9, n_bytes)
        packer = zlib.compressobj(9)
        packed = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH) + block * 1600
        path.write_bytes(
            b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
            + struct.pack("<2I", 15, len(packed)) + packed
        )  # fmt: skip
    else:
        with h5py.File(path, "w") as file:
            plan = {"chunks": (100, 100), "compression": "gzip"}
            data_set = file.create_dataset("fc", (100, 100), "f8", **plan)
            data_set.id.write_direct_chunk((0, 0), head + block * 1600)
    assert path.stat().st_size < 5e6
    script = f"""
        import resource
        from pathlib import Path
        from dtb_runtime import isolated_reading
        from dtb_runtime.errors import ConnectomeError
        from dtb_runtime.reading import Reading
        isolated_reading.LIMITS = isolated_reading.Limits(memory_bytes=2**30)
        try:
            isolated_reading.read_isolated(Path({str(path)!r}), Reading(), ending={ending!r})
        except ConnectomeError as error:
            print(error)
        isolated_reading.end_process()
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
        """
    message, peak = _output_of(textwrap.dedent(script), tmp_path).splitlines()
    expected = "needs more than the 1.1 GB" if ending == ".mat" else "cannot be read as HDF5"
    assert expected in message
    assert int(peak) < 2**30


# ---- other processes


def _output_of(script: str, folder: Path, *flags: str) -> str:
    done = subprocess.run(
        [sys.executable, *(flags or ("-P",)), "-W", "error", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


READ = """
from pathlib import Path
from dtb_runtime.isolated_reading import read_isolated, _state
from dtb_runtime.reading import Reading
def read():
    return read_isolated(Path({path!r}), Reading(), ending=".h5")
"""


@pytest.mark.parametrize("flag", ["-P", "-I"])
def test_nothing_of_the_current_folder_is_imported(tmp_path: Path, flag: str) -> None:
    path = written(tmp_path / "c.h5")
    for name in ("numpy", "h5py", "json", "dtb_runtime"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('from the current folder')")
    script = READ.format(path=str(path)) + "print(read().values.shape)"
    assert _output_of(script, tmp_path, flag) == "(4, 3)\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_has_a_process_of_its_own(tmp_path: Path) -> None:
    script = READ.format(path=str(written(tmp_path / "c.h5"))) + textwrap.dedent(
        """
        import os
        read()
        mine = _state.process._popen.pid
        if os.fork() == 0:
            from dtb_runtime import isolated_reading
            read()
            other = isolated_reading._state.process._popen.pid
            isolated_reading.end_process()
            os._exit(other == mine)
        _, status = os.wait()
        read()
        print(status, _state.process._popen.pid == mine)
        """
    )
    assert _output_of(script, tmp_path) == "0 True\n"


@pytest.mark.skipif(sys.platform != "linux", reason="it is looked for in /proc")
@pytest.mark.parametrize("how", ["at its end", "killed while it waits", "killed while it reads"])
def test_the_process_ends_with_the_one_that_asks(tmp_path: Path, how: str) -> None:
    path = written(tmp_path / "c.h5")
    endings = {
        "at its end": "",
        "killed while it waits": "os.kill(os.getpid(), 9)",
        # The alarm is the system's: no Python runs in a library that hangs.
        "killed while it reads": f"""
os.mkfifo({str(tmp_path / "f.mat")!r})
question = dict(path={str(tmp_path / "f.mat")!r}, ending=".mat", reading={{}}, number=2,
                limits=dict(memory_bytes=2**32, cpu_s=60, wall_s=-9.5))
popen = isolated_reading._state.process._popen
popen.stdin.write(json.dumps(question).encode() + b"\\n")
popen.stdin.flush()
os.kill(os.getpid(), 9)
""",
    }
    script = (
        READ.format(path=str(path))
        + "import json, os, sys; from dtb_runtime import isolated_reading\n"
        + "read(); print(_state.process._popen.pid, flush=True)\n"
        + endings[how]
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == (0 if how == "at its end" else -signal.SIGKILL), done.stderr
    place = Path(f"/proc/{int(done.stdout)}/stat")
    end_s = time.monotonic() + 30
    while place.exists():  # a zombie has ended too, where nobody collects it
        assert time.monotonic() < end_s, "the child goes on"
        time.sleep(0.01)
        try:
            if place.read_text().rpartition(")")[2].split()[0] == "Z":
                break
        except (FileNotFoundError, ProcessLookupError):
            break


# ---- answers are not believed


GOOD = {
    "number": 1,
    "is_sound": True,
    "shape": [2, 2],
    "labels": ["a", "b"],
    "row_labels": None,
    "kind": "connectome",
    "scale": "r",
    "why": "",
    "mean_fd_mm": 0.25,
    "notes": [],
}


def answered(head: Any, numbers: bytes = bytes(32)) -> Answer:
    """What is made of these bytes."""
    line = head if isinstance(head, bytes) else json.dumps(head).encode() + b"\n"
    return receive(io.BytesIO(line + numbers), 1)


def test_a_good_answer_is_taken() -> None:
    raw = answered(GOOD, np.arange(4.0).astype("<f8").tobytes()).found
    assert isinstance(raw, RawArray)
    np.testing.assert_array_equal(raw.values, [[0, 1], [2, 3]])
    assert (raw.labels, raw.kind, raw.scale, raw.mean_fd_mm) == (
        ("a", "b"),
        "connectome",
        "r",
        0.25,
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": 2}, "another question"),
        ({"number": None}, "another question"),
        ({"shape": [2**20, 2**20]}, "claims 8796.1 GB"),
        ({"shape": [2, 2, 2]}, "without a shape"),
        ({"shape": [2, -2]}, "without a shape"),
        ({"shape": [2, 0]}, "without a shape"),
        ({"shape": [2, 2.0]}, "without a shape"),
        ({"shape": None}, "without a shape"),
        ({"labels": "ab"}, "something else than names"),
        ({"labels": [1, 2]}, "something else than text"),
        ({"notes": {}}, "something else than names"),
        ({"why": None}, "something else than text"),
        ({"kind": "else"}, "unknown kind"),
        ({"scale": []}, "unknown kind"),
        ({"mean_fd_mm": "0.1"}, "displacement"),
        ({"what": 3}, "something else than text"),
    ],
)
def test_other_answers_are_none(change: dict[str, Any], message: str) -> None:
    with pytest.raises(AnswerError, match=message):
        answered(GOOD | change)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"{\n", AnswerError),
        (b"[1]\n", AnswerError),
        (b"[" * 100_000 + b"\n", AnswerError),
        (b"\xff\n", AnswerError),
        (b"", EOFError),
        (b'{"number": 1', EOFError),
        (json.dumps(GOOD).encode() + b"\n" + bytes(31), EOFError),
    ],
)
def test_bytes_that_are_no_answer(line: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        answered(line, b"")


def test_a_line_without_an_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtb_runtime.reading_answers._MAX_LINE", 100)
    stream = io.BytesIO(b"x" * 1000)
    with pytest.raises(AnswerError, match="without an end"):
        receive(stream, 1)
    assert stream.tell() == 100


def test_only_our_own_classes_are_raised() -> None:
    answer = answered(
        {"number": 1, "what": "SystemExit", "message": "", "place": "", "is_sound": 1}
    )
    assert isinstance(answer.found, Failure)
    assert answer.found.error() is None
    assert not answer.is_sound


def test_what_is_said_is_printed_as_one_line() -> None:
    head = {"number": 1, "what": "ConnectomeError", "message": "a\x1b[2J\n" * 4000, "place": ""}
    found = answered(head).found
    assert isinstance(found, Failure)
    error = found.error()
    assert isinstance(error, DtbError)
    assert str(error).isprintable()
    assert len(str(error)) < 30_000


def test_what_is_sent_is_received(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtb_runtime.reading_answers._BLOCK_BYTES", 100)  # several blocks
    for values in (
        rng.random((50, 7)),
        np.asfortranarray(rng.random((50, 7))),
        rng.random((1, 99)),
    ):
        stream = io.BytesIO()
        send(stream, 5, Answer(RawArray(values, notes=("a note",)), True))
        stream.seek(0)
        answer = receive(stream, 5)
        assert isinstance(answer.found, RawArray)
        np.testing.assert_array_equal(answer.found.values, values)
        assert answer.found.notes == ("a note",)
        assert answer.is_sound
        assert stream.read() == b""
