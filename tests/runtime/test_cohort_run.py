"""Whole cohorts: the same bytes for any number of processes, after kills and with bad people."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.cohort_listing import list_cohort
from dtb_runtime.cohort_run import FirstFailureError, score_cohort
from dtb_runtime.errors import BundleError, CohortError, OutputError, UsageError
from dtb_runtime.folder_lock import locked_folder
from dtb_runtime.run_file import CohortRun
from dtb_runtime.score_journal import JOURNAL_FILE
from dtb_runtime.score_workers import WorkerPlan, Workers
from dtb_runtime.scored_person import ScoredPerson
from dtb_runtime.scoring import ScoreSettings

People = Callable[[int], NDArray[np.float64]]
N, N_BROKEN = 40, 4
RUN = """
import sys
from pathlib import Path
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.cohort_listing import list_cohort
from dtb_runtime.cohort_run import score_cohort
if __name__ == "__main__":
    bundle, cohort, out, jobs = sys.argv[1:]
    score_cohort(load_bundle(bundle, device="cpu"), list_cohort(cohort), out, jobs=int(jobs))
"""


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty people, of whom four are broken: three batches."""
    from .conftest import make_correlations

    folder = tmp_path_factory.mktemp("cohort")
    for number in range(N):
        path = folder / f"sub-{number:03d}.npy"
        np.save(path, make_correlations(number))
        if number % 10 == 7:
            path.write_bytes(path.read_bytes()[: 300 + number])
    return folder


@pytest.fixture
def run(tiny: Bundle, cohort: Path) -> Callable[..., CohortRun]:
    """Score the cohort, or another one, into a folder."""

    def score(out: Path, source: Path = cohort, **options: object) -> CohortRun:
        return score_cohort(tiny, list_cohort(source), out, **options)  # type: ignore[arg-type]

    return score


@pytest.fixture(scope="module")
def finished(tiny: Bundle, cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the cohort's run, not to be changed."""
    out = tmp_path_factory.mktemp("finished") / "out"
    score_cohort(tiny, list_cohort(cohort), out)
    return out


def tables(out: Path) -> dict[str, bytes]:
    names = ("cohort.tsv", "cohort.json", "cohort.parquet")
    return {p.name: p.read_bytes() for p in out.iterdir() if p.name in names}


def test_processes_change_no_byte_and_bad_people_cost_a_row_each(
    run: Callable[..., CohortRun], tmp_path: Path
) -> None:
    alone, several = run(tmp_path / "1"), run(tmp_path / "3", jobs=3)
    assert tables(tmp_path / "1") == tables(tmp_path / "3")
    assert (alone.n_people, alone.n_failed, alone.n_before) == (N, N_BROKEN, 0)
    assert several.first_error == alone.first_error
    assert alone.first_error.startswith("sub-(hidden).npy is cut short")
    lines = (tmp_path / "1" / "cohort.tsv").read_text().splitlines()
    header = lines[0].split("\t")
    rows = [dict(zip(header, line.split("\t"), strict=True)) for line in lines[1:]]
    assert [row["participant_id"] for row in rows] == [f"sub-{n:03d}" for n in range(N)]
    for number, row in enumerate(rows):
        assert (row["status"] == "failed") == (number % 10 == 7)
        assert (row["error"] == "n/a") == (row["status"] == "ok")
        assert (row["accuracy"] == "n/a") == (row["status"] == "failed")
    described = json.loads((tmp_path / "1" / "cohort.json").read_text())
    assert set(header) <= set(described)
    assert {p.name for p in (tmp_path / "1").iterdir()} == {
        JOURNAL_FILE,
        *(path.name for path in alone.files),
    }


def test_parquet_holds_what_the_table_says(finished: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is an extra")
    read = parquet.read_table(finished / "cohort.parquet").to_pylist()
    lines = (finished / "cohort.tsv").read_text().splitlines()
    header = lines[0].split("\t")
    assert list(read[0]) == header
    for row, line in zip(read, lines[1:], strict=True):
        for name, cell in zip(header, line.split("\t"), strict=True):
            value = row[name]
            if isinstance(value, float):
                assert float(cell) == value
            else:
                assert cell == ("n/a" if value is None else value)


def test_what_is_done_is_not_done_again(
    run: Callable[..., CohortRun],
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scored: list[str] = []

    def stop(done: int, _: int, person: ScoredPerson | None) -> None:
        if person is None:
            return
        scored.append(person.participant_id)
        if done == 13:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out", on_scored=stop)
    assert [p.name for p in (tmp_path / "out").iterdir()] == [JOURNAL_FILE]
    again = run(tmp_path / "out", on_scored=stop)
    assert again.n_before == 13
    assert len(scored) == len(set(scored)) == N
    assert tables(tmp_path / "out") == tables(finished)
    # Once it has ended there is nothing to do.
    monkeypatch.setattr("dtb_runtime.score_workers.Workers.score", None)
    ended = run(tmp_path / "out")
    assert (ended.n_people, ended.n_failed, ended.n_before) == (N, N_BROKEN, N)
    assert ended.first_error == again.first_error


def test_whose_file_has_changed_is_scored_again_and_nobody_else(
    run: Callable[..., CohortRun], cohort: Path, tmp_path: Path
) -> None:
    mended = shutil.copytree(cohort, tmp_path / "mended")
    run(tmp_path / "out", mended)
    np.save(mended / "sub-007.npy", np.load(mended / "sub-000.npy"))
    (mended / "sub-012.npy").write_bytes(b"broken")
    scored: list[str] = []

    def stop(_: int, __: int, person: ScoredPerson | None) -> None:
        if person is not None:
            scored.append(person.participant_id)
            if len(scored) == 1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out", mended, on_scored=stop)
    assert not (tmp_path / "out" / "run.json").exists()
    again = run(tmp_path / "out", mended, on_scored=stop)
    assert scored == ["sub-007", "sub-012"]
    assert (again.n_before, again.n_failed, again.was_ended) == (N - 1, N_BROKEN, False)
    run(tmp_path / "fresh", mended)
    assert tables(tmp_path / "out") == tables(tmp_path / "fresh")
    assert run(tmp_path / "out", mended).was_ended


def test_after_fail_fast_a_mended_file_comes_first(
    run: Callable[..., CohortRun], cohort: Path, tmp_path: Path
) -> None:
    mended = shutil.copytree(cohort, tmp_path / "mended")
    with pytest.raises(FirstFailureError, match=f"Person 8 of {N}"):
        run(tmp_path / "out", mended, fail_fast=True)
    np.save(mended / "sub-007.npy", np.load(mended / "sub-000.npy"))
    with pytest.raises(FirstFailureError, match=f"Person 18 of {N}"):
        run(tmp_path / "out", mended, fail_fast=True)
    assert run(tmp_path / "out", mended).n_failed == N_BROKEN - 1


@pytest.mark.parametrize("name", ["cohort.tsv", "cohort.json"])
@pytest.mark.parametrize("is_removed", [True, False])
def test_tables_that_are_gone_are_written_again_and_changed_ones_are_not_replaced(
    run: Callable[..., CohortRun],
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    is_removed: bool,
) -> None:
    out = shutil.copytree(finished, tmp_path / "out")
    assert run(out).was_ended
    path = out / name
    good = path.read_bytes()
    if is_removed:
        path.unlink()
    else:
        path.write_bytes(good + b"\n")
    if not is_removed:
        with pytest.raises(OutputError, match=f"{name} has changed since it was written. Move it"):
            run(out)
        path.unlink()
    monkeypatch.setattr("dtb_runtime.score_workers.Workers.score", lambda *_: (_ for _ in ()))
    again = run(out)
    assert (again.was_ended, again.n_before) == (False, N)
    assert path.read_bytes() == good


@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_at_random_moments_it_ends_with_the_same_bytes(
    run: Callable[..., CohortRun],
    cohort: Path,
    finished: Path,
    tiny_folder: Path,
    tmp_path: Path,
    jobs: int,
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", RUN, str(tiny_folder), str(cohort), str(out), str(jobs)]
    rng = np.random.default_rng(jobs)
    kills = 0
    while kills < 3:
        process = subprocess.Popen(command, start_new_session=True)
        before = _n_lines(out)
        while process.poll() is None and _n_lines(out) <= before + rng.integers(0, 6):
            time.sleep(0.005)
        if process.poll() is not None:
            break  # it was faster
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
    assert kills
    run(out)
    assert tables(out) == tables(finished)
    assert _n_lines(out) == 1 + N  # nobody was written down twice


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="it looks into /proc")
def test_workers_end_when_the_process_that_began_them_is_killed(
    run: Callable[..., CohortRun], cohort: Path, finished: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", RUN, str(tiny_folder), str(cohort), str(out), "2"]
    process = subprocess.Popen(command, start_new_session=True)
    while process.poll() is None and _n_lines(out) < 2:
        time.sleep(0.005)
    workers = [pid for pid in _session(process.pid) if pid != process.pid]
    assert workers
    process.kill()
    process.wait()
    end_s = time.monotonic() + 20
    while time.monotonic() < end_s and any(map(_is_alive, workers)):
        time.sleep(0.05)
    assert not any(map(_is_alive, workers))
    run(out)
    assert tables(out) == tables(finished)


def _session(leader: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdecimal() and os.getsid(int(folder.name)) == leader:
                found.append(int(folder.name))
    return found


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def _n_lines(out: Path) -> int:
    try:
        return (out / JOURNAL_FILE).read_bytes().count(b"\n")
    except OSError:
        return 0


def test_a_worker_that_dies_is_replaced_and_its_people_come_again(
    tiny: Bundle, cohort: Path
) -> None:
    entries = list_cohort(cohort).entries
    expected = list(tiny.score(entries))
    plan = replace(WorkerPlan.of(tiny, ScoreSettings()), at_once=2)  # so that work remains
    with Workers(plan, 2) as workers:
        found = []
        for person in workers.score(entries):
            found.append(person)
            if len(found) == 5:
                assert workers._pool is not None
                os.kill(next(iter(workers._pool._processes)), signal.SIGKILL)
    assert found == expected


@pytest.mark.skipif(os.name != "posix", reason="stops processes with signals")
@pytest.mark.parametrize("which", [0, 1])
def test_a_worker_that_is_killed_while_all_end_keeps_nobody_waiting(
    tiny: Bundle, cohort: Path, which: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two that wait for work has the lock for it, which nobody gives back."""
    plan = WorkerPlan.of(tiny, ScoreSettings())
    workers = Workers(plan, 2)
    people = [*list_cohort(cohort).entries] * 8
    assert len(list(workers.score(people))) == len(people)
    pids = sorted(each.pid for each in multiprocessing.active_children() if each.pid is not None)
    assert len(pids) == 2
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    for pid in pids:  # on a busy machine one thread would end the process before another stops it
        assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
    assert workers._pool is not None
    asked = threading.Event()
    shutdown = workers._pool.shutdown

    def end(**how: bool) -> None:
        asked.set()
        shutdown(**how)

    monkeypatch.setattr(workers._pool, "shutdown", end)
    ending = threading.Thread(target=workers._end, daemon=True)
    ending.start()
    assert asked.wait(20)
    time.sleep(0.2)  # it waits for them
    os.kill(pids[which], signal.SIGKILL)
    os.kill(pids[1 - which], signal.SIGCONT)
    ending.join(20)
    assert not ending.is_alive()


def test_a_script_without_a_guard_is_told_and_no_file_is_blamed(
    tiny_folder: Path, cohort: Path, tmp_path: Path
) -> None:
    """Its processes import it, and would begin the same work again."""
    script, out = tmp_path / "mine.py", tmp_path / "out"
    script.write_text(RUN.replace('__name__ == "__main__"', "True"), encoding="utf-8")
    command = [sys.executable, str(script), str(tiny_folder), str(cohort), str(out), "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == (
        "dtb_runtime.errors.UsageError: The processes that do the work cannot start. In a script "
        "of your own, begin the work under if __name__ == '__main__':, since they import it."
    )
    assert _n_lines(out) == 1  # nobody has a row


def test_another_cohort_or_bundle_does_not_overwrite(
    run: Callable[..., CohortRun], cohort: Path, finished: Path, tmp_path: Path
) -> None:
    shutil.copytree(finished, tmp_path / "out")
    before = tables(tmp_path / "out")
    fewer = shutil.copytree(cohort, tmp_path / "fewer")
    with pytest.raises(
        OutputError, match=r"holds the results of another run \(other cohort\); nothing was written"
    ):
        run(tmp_path / "out", fewer)
    assert tables(tmp_path / "out") == before
    (fewer / "sub-000.npy").unlink()
    run(tmp_path / "out", fewer, force=True)
    assert tables(tmp_path / "out") != before


def test_fail_fast_stops_and_keeps_what_was_done(
    run: Callable[..., CohortRun], tmp_path: Path
) -> None:
    for _ in range(2):
        with pytest.raises(
            FirstFailureError, match=rf"Person 8 of {N}, in .* failed: .* The 8 rows"
        ):
            run(tmp_path, fail_fast=True)
    assert run(tmp_path).n_before == 8


def test_two_do_not_write_to_one_folder(run: Callable[..., CohortRun], tmp_path: Path) -> None:
    with locked_folder(tmp_path), pytest.raises(OutputError, match="Another process"):
        run(tmp_path)


def test_people_may_come_and_go(
    run: Callable[..., CohortRun], cohort: Path, tmp_path: Path
) -> None:
    grown = shutil.copytree(cohort, tmp_path / "grown")
    (grown / "sub-003.npy").rename(tmp_path / "kept.npy")
    run(tmp_path / "out", grown)
    (tmp_path / "kept.npy").rename(grown / "sub-003.npy")
    (grown / f"sub-{N - 1:03d}.npy").unlink()
    (grown / "participants.tsv").write_text("participant_id\tage\tsex\nsub-004\t30\tfemale\n")
    again = run(tmp_path / "out", grown)
    # One is new, and everybody has an age and a sex now, or none known.
    assert (again.n_people, again.was_ended) == (N - 1, False)
    (grown / f"sub-{N - 2:03d}.npy").unlink()
    once_more = run(tmp_path / "out", grown)
    assert (once_more.n_people, once_more.n_before) == (N - 2, N - 2)
    run(tmp_path / "fresh", grown)
    assert tables(tmp_path / "out") == tables(tmp_path / "fresh")


def test_tables_of_somebody_else_are_not_replaced(
    run: Callable[..., CohortRun], tmp_path: Path
) -> None:
    (tmp_path / "cohort.tsv").write_text("mine")
    with pytest.raises(OutputError, match=r"cohort\.tsv exists already, and is of no run"):
        run(tmp_path)
    assert (tmp_path / "cohort.tsv").read_text() == "mine"
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(OutputError, match=r"run\.json was not written by dtb-run score"):
        run(tmp_path)
    run(tmp_path, force=True)
    assert (tmp_path / "cohort.tsv").read_text() != "mine"


def test_tables_that_are_left_out_do_not_stay_from_before(
    run: Callable[..., CohortRun],
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is an extra")
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    with monkeypatch.context() as patch:
        patch.setattr("dtb_runtime.cohort_run._pyarrow", lambda: None)
        run(tmp_path, force=True)
        assert not (tmp_path / "cohort.parquet").exists()
        assert run(tmp_path).was_ended
    # Once it is installed, the same command adds it.
    assert run(tmp_path).n_before == N
    assert (tmp_path / "cohort.parquet").exists()


def test_a_folder_that_cannot_be_written_ends_the_run_and_not_the_people(
    tiny: Bundle, cohort: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "people").write_text("in the way")
    settings = ScoreSettings(files=str(out / "people"))
    with pytest.raises(OutputError, match="people"):
        score_cohort(tiny, list_cohort(cohort), out, settings)
    (out / "people").unlink()
    assert score_cohort(tiny, list_cohort(cohort), out, settings).n_failed == N_BROKEN
    # Files of one person that are gone are written again, and those of nobody else.
    shutil.rmtree(out / "people" / "sub-001")
    assert score_cohort(tiny, list_cohort(cohort), out, settings).n_before == N - 1
    assert (out / "people" / "sub-001").is_dir()
    assert not (out / "people" / "sub-007").exists()


def test_a_bundle_that_changes_meanwhile_ends_the_run(
    tiny: Bundle, tiny_folder: Path, tiny_plain: Bundle, cohort: Path, tmp_path: Path
) -> None:
    listing = list_cohort(cohort)
    moved = replace(tiny, folder=tiny_plain.folder)
    with pytest.raises(BundleError, match="is another one than when this began"):
        score_cohort(moved, listing, tmp_path / "a")
    gone = replace(tiny, folder=tmp_path / "gone")
    with pytest.raises(BundleError, match="does not exist"):
        score_cohort(gone, listing, tmp_path / "b", jobs=2)


def test_all_workers_have_one_thread(
    tiny: Bundle, cohort: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/proc/self/environ").exists():
        pytest.skip("it looks into /proc")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    plan = replace(WorkerPlan.of(tiny, ScoreSettings()), at_once=2)
    with Workers(plan, 2) as workers:
        list(workers.score(list_cohort(cohort).entries[:8]))
        assert workers._pool is not None
        pids = list(workers._pool._processes)
        found = [Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") for pid in pids]
    assert len(found) > 1
    assert all(b"OPENBLAS_NUM_THREADS=1" in each for each in found)
    assert os.environ["OPENBLAS_NUM_THREADS"] == "7"


def test_no_processes_are_refused(run: Callable[..., CohortRun], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="jobs must be at least 1, found 0"):
        run(tmp_path, jobs=0)


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="it limits the size of files")
def test_a_disk_that_is_full_ends_the_run_with_a_sentence(
    tiny_folder: Path, cohort: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n" + RUN
    command = [sys.executable, "-c", limited, str(tiny_folder), str(cohort), str(out), "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "scored.jsonl cannot be written: File too large. What is scored is kept" in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("dtb_runtime.errors.OutputError")
    kept = _n_lines(out) - 1
    assert kept > 0
    again = subprocess.run(
        [sys.executable, "-c", RUN, str(tiny_folder), str(cohort), str(out), "1"], check=True
    )
    assert again.returncode == 0
    assert _n_lines(out) == 1 + N


def test_results_do_not_go_into_the_cohort(
    run: Callable[..., CohortRun], cohort: Path, tmp_path: Path
) -> None:
    table = tmp_path / "cohort.tsv"
    table.write_text(f"participant_id\tpath\n1\t{cohort / 'sub-001.npy'}\n")
    before = table.read_bytes()
    (tmp_path / "link").symlink_to(cohort)
    for source, out in ((cohort, cohort), (cohort, tmp_path / "link"), (table, tmp_path)):
        with pytest.raises(UsageError, match="is the cohort itself"):
            run(out, source)
    assert table.read_bytes() == before


def test_a_column_of_ours_in_the_table_is_refused(
    run: Callable[..., CohortRun], cohort: Path, tmp_path: Path
) -> None:
    table = tmp_path / "cohort.tsv"
    table.write_text(f"participant_id\tpath\tstatus\n1\t{cohort / 'sub-001.npy'}\tgood\n")
    with pytest.raises(CohortError, match="has a column 'status', which scoring writes itself"):
        run(tmp_path / "out", table)
    table.write_text(f"participant_id\tpath\tsite\n1\t{cohort / 'sub-001.npy'}\tA\tb\n")
