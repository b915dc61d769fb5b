"""The participant level: everybody on disk where BIDS wants them, whatever happens in between."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from dtb_runtime import bids_run, bids_scoring, cohort_connectomes, folder_lock
from dtb_runtime.bids_cohort import BidsCohort, BidsSelection, list_bids
from dtb_runtime.bids_group import run_group
from dtb_runtime.bids_places import PersonPlaces
from dtb_runtime.bids_record import record_of
from dtb_runtime.bids_run import (
    PROCESS_MB,
    FirstCrashError,
    ParticipantRun,
    processes_within,
    run_participants,
)
from dtb_runtime.bids_scoring import BUSY, BidsScorer, BidsSettings
from dtb_runtime.bids_texts import citation, libraries_used
from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.cohort_entry import CohortEntry
from dtb_runtime.connectome_file import read_connectome
from dtb_runtime.demographics import Sex
from dtb_runtime.errors import OutputError, UsageError
from dtb_runtime.folder_lock import locked_folder
from dtb_runtime.hashed_ids import hashed, hashed_id
from dtb_runtime.outputs import write_forecasts
from dtb_runtime.reading import Reading
from dtb_runtime.scored_person import ScoredPerson

from .bids_trees import describe, giga_connectome, put_matrix, put_participants, xcp_d

pytest.importorskip("bids", reason="pybids is not installed: the extra bids")

TINY = BidsSelection(parcellation="tiny12")
Run = Callable[..., ParticipantRun]


@pytest.fixture
def labels(tiny: Bundle) -> tuple[str, ...]:
    """Regions of the test bundle."""
    parcellation = tiny.manifest.parcellation
    assert parcellation is not None
    return parcellation.labels


@pytest.fixture
def source(tmp_path: Path, labels: tuple[str, ...]) -> Path:
    """Three people of giga_connectome, with age and sex."""
    root = giga_connectome(tmp_path / "source", labels)
    rows = [["participant_id", "age", "sex"]]
    rows += [[f"sub-0{n}", str(30 + n), "MF"[n % 2]] for n in range(1, 4)]
    put_participants(root, rows)
    return root


@pytest.fixture
def run(tiny: Bundle, source: Path, tmp_path: Path) -> Run:
    """Run the participant level with two draws; returns how it ended."""

    def run(
        out: Path | None = None,
        *,
        root: Path = source,
        bundle: Bundle = tiny,
        selection: BidsSelection = TINY,
        draws: int = 2,
        **named: bool | int,
    ) -> ParticipantRun:
        out = out or tmp_path / "out"
        settings = BidsSettings.of(bundle, out, root, draws=draws)
        return run_participants(bundle, list_bids(root, selection), out, settings, **named)  # type: ignore[arg-type]

    return run


def _results(out: Path) -> dict[str, bytes]:
    """Every result by its name; not logs, which hold times, and records, which hold stamps."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not {"logs", ".dtb-run"} & set(path.relative_to(out).parts)
    }


def _stamps(out: Path, person: str) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in (out / person).rglob("*") if p.is_file()}


def test_everybody_gets_the_files_of_predict_where_bids_wants_them(
    run: Run, tiny: Bundle, source: Path, tmp_path: Path
) -> None:
    done = run()
    assert (done.n_people, done.n_failed, done.n_before) == (3, 0, 0)
    out = tmp_path / "out"
    name = "sub-02_task-rest_seg-tiny12_meas-PearsonCorrelation_desc-denoiseSimple_relmat.tsv"
    connectome = read_connectome(source / "sub-02" / "func" / name)
    twin = tiny.personalize(connectome, participant_id="sub-02")
    age: float = 32
    sex: Sex = "male"
    files = write_forecasts(
        tmp_path / "predict", twin, twin.forecast_tasks(draws=2), age=age, sex=sex
    )
    for file in files:
        kind = "beh" if "_events" in file.name else "func"
        ours = out / "sub-02" / kind / file.name
        if file.suffix == ".tsv":
            assert ours.read_bytes() == file.read_bytes()
            continue
        theirs = json.loads(file.read_bytes())
        document = json.loads(ours.read_bytes())
        if "summary" in file.name:
            assert document.pop("session") is None
            assert sorted(document.pop("files")) == sorted(
                str(path.relative_to(out)) for path in (out / "sub-02").rglob("*.*")
            )
            theirs.pop("files")
        else:
            assert document["Sources"] == [f"bids:source:sub-02/func/{name}"]
            assert document["ConnectomeDigest"] == theirs["Sources"][0]
            document = {key: document[key] for key in theirs}
            for changed in ("Sources", "trial_type"):
                document.pop(changed, None), theirs.pop(changed, None)
        assert document == theirs
    assert len(files) == len(list((out / "sub-02").rglob("*.*")))


def test_percentiles_of_row_and_summary_are_of_the_same_people(run: Run, tmp_path: Path) -> None:
    run()
    out = tmp_path / "out"
    person = CohortEntry("sub-03", None, None)
    record = record_of(PersonPlaces.of(out, person))
    assert record is not None
    assert record.own == {"age": "33", "sex": "F"}
    summary = json.loads((out / "sub-03/func/sub-03_desc-twin_summary.json").read_bytes())
    for name, found in summary["percentiles"].items():
        assert record.person.values[f"{name}_percentile"] == found["percent"]
    for name, value in summary["indicators"].items():
        assert record.person.values[name] == value


def test_every_column_is_described_with_its_levels(run: Run, tmp_path: Path) -> None:
    run()
    out = tmp_path / "out"
    for table in out.glob("sub-*/beh/*.tsv"):
        header, *rows = (line.split("\t") for line in table.read_text().splitlines())
        sidecar = json.loads(table.with_suffix(".json").read_bytes())
        assert all("Description" in sidecar[name] for name in header)
        for name in ("trial_type", "choice"):
            found = {row[header.index(name)] for row in rows} - {"n/a"}
            assert found <= set(sidecar[name]["Levels"])
        assert sidecar["onset"]["Units"] == "s"
    for task in ("hammer", "stroop"):
        regions = json.loads((out / f"task-{task}_desc-twin_timeseries.json").read_bytes())
        name = f"sub-01/func/sub-01_task-{task}_desc-twin_timeseries.tsv"
        assert list(regions) == (out / name).read_text().splitlines()[0].split("\t")
        assert all(each["Units"].startswith("SD") for each in regions.values())


def test_sessions_stand_in_folders_and_names(
    run: Run, labels: tuple[str, ...], tmp_path: Path
) -> None:
    root = xcp_d(tmp_path / "xcp_d", labels, {"A1": ("pre", "post"), "B2": ("pre",)})
    assert run(root=root, nprocs=2).n_failed == 0
    out = tmp_path / "out"
    names = [path.name for path in (out / "sub-A1" / "ses-post").rglob("*.*")]
    assert len(names) == 13
    assert all(name.startswith("sub-A1_ses-post_") for name in names)
    assert (out / "logs" / "sub-A1_ses-pre.log").is_file()
    summary = json.loads(
        (out / "sub-A1/ses-pre/func/sub-A1_ses-pre_desc-twin_summary.json").read_bytes()
    )
    assert summary["session"] == "ses-pre"
    description = json.loads((out / "dataset_description.json").read_bytes())
    assert description["SourceDatasets"] == [{"URL": "bids:source:", "DOI": "doi:10.1234/made.up"}]
    assert description["DatasetLinks"] == {"source": "../xcp_d"}
    assert not (out / "participants.tsv").exists()  # the source has none


def test_whoever_is_done_is_passed_over(run: Run, source: Path, tmp_path: Path) -> None:
    run()
    out = tmp_path / "out"
    before = {who: _stamps(out, who) for who in ("sub-01", "sub-02", "sub-03")}
    again = run()
    assert (again.n_before, again.n_failed) == (3, 0)
    assert {who: _stamps(out, who) for who in before} == before
    changed = next((source / "sub-02").rglob("*tiny12*_relmat.tsv"))
    put_matrix(changed, 77, _header(changed))
    assert run().n_before == 2
    assert _stamps(out, "sub-01") == before["sub-01"]
    assert _stamps(out, "sub-02") != before["sub-02"]
    next((out / "sub-03").rglob("*_contrasts.tsv")).unlink()
    assert run().n_before == 2
    assert run(draws=3).n_before == 0
    assert run(draws=3, force=True).n_before == 0
    put_participants(source, [["participant_id", "age"], ["sub-01", "70"]])
    assert run(draws=3).n_before == 0  # of all others the age is not known any more


def _header(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()[0].split("\t")[1:]


def test_another_bundle_does_everybody_again(
    run: Run,
    tiny_copy: Path,
    edit_manifest: Callable[[Path, Callable[[dict[str, object]], object]], None],
) -> None:
    run()
    edit_manifest(tiny_copy, lambda document: document.update(name="other"))
    done = run(bundle=load_bundle(tiny_copy, device="cpu"))
    assert done.n_before == 0


def test_a_data_set_that_moved_is_the_same(run: Run, source: Path, tmp_path: Path) -> None:
    run()
    moved = tmp_path / "elsewhere"
    shutil.copytree(source, moved)  # with the times of the files
    assert run(root=moved).n_before == 3


def test_one_bad_person_costs_a_crash_file(run: Run, source: Path, tmp_path: Path) -> None:
    bad = next((source / "sub-02").rglob("*tiny12*_relmat.tsv"))
    good = bad.read_bytes()
    run()
    bad.write_text("a\tb\n1\t2\n", encoding="utf-8")
    done = run()
    out = tmp_path / "out"
    assert (done.n_people, done.n_failed, done.n_before) == (3, 1, 2)
    assert done.crash_folder == out / "logs"
    crash = (out / "logs" / "sub-02_crash.txt").read_text(encoding="utf-8")
    assert crash.count("\n") == 1 and crash.startswith(bad.name)
    assert "Failed:" in (out / "logs" / "sub-02.log").read_text(encoding="utf-8")
    assert not (out / "sub-02").exists()  # nothing of the file before
    assert "sub-02" not in (out / "participants.tsv").read_text(encoding="utf-8")
    assert run().n_before == 3  # the file is the same bad one
    bad.write_bytes(good)
    assert run().n_failed == 0
    assert not (out / "logs" / "sub-02_crash.txt").exists()
    assert "sub-02" in (out / "participants.tsv").read_text(encoding="utf-8")


def test_an_unexpected_error_leaves_where_and_not_what(
    tiny: Bundle, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        try:
            raise KeyError("age of the person: 42")
        except KeyError as cause:
            raise ValueError("IQ 77") from cause

    monkeypatch.setattr(cohort_connectomes, "read_connectome", broken)
    out = tmp_path / "out"
    settings = BidsSettings.of(tiny, out, source, draws=1)
    entry = list_bids(source, TINY).listing.entries[0]
    (person,) = BidsScorer(tiny, settings).score([entry])
    assert not person.is_ok
    crash = (out / "logs" / "sub-01_crash.txt").read_text(encoding="utf-8")
    assert crash.startswith("Unexpected ValueError in dtb-runtime")
    assert crash.index("KeyError at:") < crash.index("ValueError at:")
    assert "in broken" in crash and "bids_scoring.py" in crash
    lines = [line for line in crash.splitlines() if "raise " not in line]  # those are our code
    assert not any("42" in line or "77" in line for line in lines)
    assert person.stamp is None  # it may be no fault of the file: next time it is tried again


def test_a_failure_whose_process_is_gone_is_written_down(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Dying(bids_run.Workers):
        def score(self, entries: object) -> Iterator[ScoredPerson]:  # type: ignore[override]
            for entry in entries:  # type: ignore[attr-defined]
                yield ScoredPerson.failed(entry, "The process ended abruptly.")

    monkeypatch.setattr(bids_run, "Workers", Dying)
    assert run().n_failed == 3
    crash = tmp_path / "out" / "logs" / "sub-03_crash.txt"
    assert crash.read_text(encoding="utf-8") == "The process ended abruptly.\n"
    monkeypatch.undo()
    assert run().n_failed == 0
    assert not crash.exists()


def test_somebody_at_work_elsewhere_is_left_alone(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with locked_folder(PersonPlaces.of(out, CohortEntry("sub-02", None, None)).state):
        done = run()
    assert (done.n_failed, done.n_busy) == (0, 1)
    assert not (out / "logs" / "sub-02_crash.txt").exists()
    assert "at work on this person" in BUSY
    assert run().n_before == 2


def test_a_link_in_place_of_a_persons_folder_is_refused(run: Run, tmp_path: Path) -> None:
    run()
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    (out / "sub-02").rename(elsewhere)
    (elsewhere / "func" / "mine.txt").write_text("mine", encoding="utf-8")
    (out / "sub-02").symlink_to(elsewhere)
    with pytest.raises(OutputError, match=r"1 is a link, where .* Remove it, or") as caught:
        run(force=True)
    assert "sub-" not in str(caught.value)
    assert (elsewhere / "func" / "mine.txt").is_file()
    (out / "sub-02").unlink()
    assert run().n_before == 2


def test_where_there_are_no_locks_it_works_without(
    run: Run, tiny: Bundle, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(folder_lock, "_lock", none)
    settings = BidsSettings.of(tiny, tmp_path / "out", source, draws=1)
    entry = list_bids(source, TINY).listing.entries[0]
    (person,) = BidsScorer(tiny, settings).score([entry])
    assert person.is_ok


def test_whoever_was_done_meanwhile_is_not_done_again(
    tiny: Bundle, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two calls for the same people: what one has done, the other finds under the lock."""
    out = tmp_path / "out"
    settings = BidsSettings.of(tiny, out, source, draws=1)
    entries = list_bids(source, TINY).listing.entries
    first = BidsScorer(tiny, settings).score(entries)
    before = _stamps(out, "sub-01") | _stamps(out, "logs")
    second = BidsScorer(tiny, settings)
    assert second.score(entries) == first
    second.leave_failure(entries[0], ScoredPerson.failed(entries[0], "Its process is gone."))
    assert _stamps(out, "sub-01") | _stamps(out, "logs") == before
    with locked_folder(PersonPlaces.of(out, entries[1]).state):
        forced = BidsScorer(tiny, replace(settings, force=True))
        forced.leave_failure(entries[1], ScoredPerson.failed(entries[1], "Its process is gone."))
    assert _stamps(out, "sub-01") | _stamps(out, "logs") == before
    assert [person.is_ok for person in forced.score(entries)] == [True, True, True]
    assert not before.items() & _stamps(out, "sub-01").items()


def test_hashed_and_plain_ids_do_not_mix(tiny: Bundle, source: Path, tmp_path: Path) -> None:
    plain = list_bids(source, TINY)
    people = plain.participants
    assert people is not None
    keys = (b"a secret of 20 bytes", b"another secret, as long")
    one, other = (
        replace(
            plain,
            listing=hashed(plain.listing, key),
            participants=people.renamed(partial(hashed_id, key=key)),
        )
        for key in keys
    )

    def call(cohort: BidsCohort, out: Path, **named: bool) -> ParticipantRun:
        settings = BidsSettings.of(tiny, out, source, draws=1)
        return run_participants(tiny, cohort, out, settings, **named)

    for begun, others in ((plain, (one, other)), (one, (plain, other))):
        out = tmp_path / ("plain" if begun is plain else "hashed")
        assert call(begun, out).n_failed == 0
        before = _results(out)
        for cohort in others:
            with pytest.raises(OutputError, match=r"was begun with .*participant ids"):
                call(cohort, out, force=True)
            with pytest.raises(OutputError, match=r"people would stand in it twice"):
                run_group(tiny, cohort, out, TINY)
        assert _results(out) == before
        assert call(begun, out).n_before == 3
        assert run_group(tiny, begun, out, TINY).n_ok == 3
    (out / ".dtb-run" / "ids.json").unlink()
    with pytest.raises(OutputError, match="does not say whether its participant ids are hashed"):
        call(one, out)


def test_another_atlas_of_the_same_name_is_another_one(
    tiny: Bundle, source: Path, tmp_path: Path
) -> None:
    atlas = tmp_path / "atlas.nii.gz"
    atlas.write_bytes(b"one parcellation")
    reading = Reading(atlas=str(atlas))
    settings = BidsSettings.of(tiny, tmp_path / "out", source, reading=reading)
    about = settings.about(tiny)
    moved = tmp_path / "elsewhere.nii.gz"
    moved.write_bytes(atlas.read_bytes())
    assert replace(settings, reading=Reading(atlas=str(moved))).about(tiny) == about
    atlas.write_bytes(b"another parcellation")
    assert settings.about(tiny) != about
    assert str(tmp_path) not in json.dumps(about)


def test_it_stops_at_the_first_crash_where_asked_to(run: Run, source: Path, tmp_path: Path) -> None:
    next((source / "sub-01").rglob("*tiny12*_relmat.tsv")).write_text("x", encoding="utf-8")
    with pytest.raises(FirstCrashError) as caught:
        run(stop_on_first_crash=True)
    assert "crash file in" in str(caught.value) and "sub-" not in str(caught.value)
    assert (tmp_path / "out" / "logs" / "sub-01_crash.txt").is_file()
    assert run().n_failed == 1


def test_an_id_that_is_none_gets_a_place_of_its_own(
    run: Run, source: Path, labels: tuple[str, ...], tmp_path: Path
) -> None:
    put_matrix(source / "sub-é" / "func" / "x_relmat.tsv", 0, labels)
    assert run().n_failed == 1
    (crash,) = (tmp_path / "out" / "logs").glob("*_crash.txt")
    assert crash.name.startswith("sub---") and crash.name.isascii()
    assert "is no participant id" in crash.read_text(encoding="utf-8")


def test_results_do_not_mix_with_other_files(run: Run, source: Path, tmp_path: Path) -> None:
    for out, match in (
        (source, "lies in the data set that is read"),
        (source / "sub-01" / "out", "lies in the data set that is read"),
        (source.parent, "The data set that is read lies in"),
    ):
        with pytest.raises(UsageError, match=match):
            run(out)
    foreign = describe(tmp_path / "foreign", "fMRIPrep")
    with pytest.raises(OutputError, match="was made by another program"):
        run(foreign)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match=r"holds files, and no dataset_description"):
        run(tmp_path / "own", force=True)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "dataset_description.json").write_text("{", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be read"):
        run(broken)
    assert run(source / "derivatives" / "twins").n_failed == 0
    assert run(source / "derivatives" / "twins").n_before == 3


def test_what_cannot_be_written_names_nobody(
    tiny: Bundle, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "sub-01"))

    monkeypatch.setattr(bids_scoring, "stage_outputs", full)
    settings = BidsSettings.of(tiny, tmp_path / "out", source, draws=1)
    entry = list_bids(source, TINY).listing.entries[0]
    with pytest.raises(OutputError, match="No space left on device") as caught:
        BidsScorer(tiny, settings).score([entry])
    assert "sub-" not in str(caught.value)


@pytest.mark.parametrize(
    ("nprocs", "mem_mb", "expected"),
    [
        (8, None, 8),
        (8, 100 * PROCESS_MB, 8),
        (8, 4 * PROCESS_MB, 3),
        (8, 4 * PROCESS_MB - 1, 2),
        (1, 2 * PROCESS_MB, 1),
    ],
)
def test_memory_limits_how_many_run_at_once(nprocs: int, mem_mb: int | None, expected: int) -> None:
    assert processes_within(nprocs, mem_mb) == expected


def test_too_little_memory_is_refused() -> None:
    with pytest.raises(UsageError, match=rf"Give --mem-mb {2 * PROCESS_MB} or more"):
        processes_within(4, 2 * PROCESS_MB - 1)
    with pytest.raises(UsageError, match="nprocs must be at least 1"):
        processes_within(0, None)


def test_draws_are_those_of_predict_unless_said(
    tiny: Bundle, tiny_plain: Bundle, tmp_path: Path
) -> None:
    assert BidsSettings.of(tiny, tmp_path, tmp_path).draws == 32
    assert BidsSettings.of(tiny_plain, tmp_path, tmp_path).draws == 1
    with pytest.raises(UsageError, match="draws must be at least 1"):
        BidsSettings.of(tiny, tmp_path, tmp_path, draws=0)
    with pytest.raises(UsageError, match="Forecast with one draw"):
        BidsSettings.of(tiny_plain, tmp_path, tmp_path, draws=2)


def test_libraries_are_credited_where_they_took_part(tiny: Bundle) -> None:
    assert libraries_used({}, ["sub-01/x.tsv", None]) == {"pybids"}
    assert libraries_used({"denoise": "simple"}, ["x.nii.gz"]) == {"pybids", "nibabel", "nilearn"}
    assert libraries_used({"atlas": "a.nii"}, [Path("x.nii.gz")]) == {"pybids", "nibabel"}
    assert libraries_used({}, ["x.gii"]) == {"pybids"}
    text = citation(tiny, {"pybids", "nilearn"})
    assert "10.34133/bmef.0231" in text and "nilearn" in text and "NiBabel" not in text
    shipped = citation(load_bundle("tcp434", device="cpu"), set())
    assert "Human Connectome Project" in shipped and "ds005237" in shipped


PARTICIPANTS = """
import sys
from dtb_runtime.bids_cohort import BidsSelection, list_bids
from dtb_runtime.bids_run import run_participants
from dtb_runtime.bids_scoring import BidsSettings
from dtb_runtime.bundle_loading import load_bundle
from pathlib import Path
if __name__ == "__main__":
    bundle, source, out, nprocs, *labels = sys.argv[1:]
    bundle = load_bundle(bundle, device="cpu")
    selection = BidsSelection(parcellation="tiny12", participant_labels=tuple(labels))
    settings = BidsSettings.of(bundle, Path(out), Path(source), draws=2)
    run_participants(bundle, list_bids(source, selection), out, settings, nprocs=int(nprocs))
"""


def _start(*words: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PARTICIPANTS, *map(str, words)]
    return subprocess.Popen(command, start_new_session=True)


def test_two_calls_at_once_for_different_people_share_a_folder(
    run: Run, tiny_folder: Path, source: Path, labels: tuple[str, ...], tmp_path: Path
) -> None:
    for number in range(4, 9):
        name = f"sub-0{number}_task-rest_seg-tiny12_relmat.tsv"
        put_matrix(source / f"sub-0{number}" / "func" / name, number, labels)
    out = tmp_path / "out"
    calls = [
        _start(tiny_folder, source, out, 1, *several)
        for several in (("01", "02", "03"), ("04", "05", "06"), ("07", "08"))
    ]
    assert [call.wait() for call in calls] == [0, 0, 0]
    run(tmp_path / "whole")
    assert _results(out) == _results(tmp_path / "whole")
    assert run(out).n_before == 8


@pytest.mark.skipif(os.name != "posix", reason="it kills a group of processes")
@pytest.mark.parametrize("nprocs", [1, 2])
def test_killed_at_random_moments_it_ends_with_the_same_results(
    run: Run,
    tiny_folder: Path,
    source: Path,
    labels: tuple[str, ...],
    tmp_path: Path,
    nprocs: int,
) -> None:
    for number in range(4, 10):
        name = f"sub-0{number}_task-rest_seg-tiny12_relmat.tsv"
        put_matrix(source / f"sub-0{number}" / "func" / name, number, labels)
    run(tmp_path / "whole")
    out = tmp_path / "out"
    rng = np.random.default_rng(nprocs)
    n_done = kills = 0
    for _ in range(2):
        process = _start(tiny_folder, source, out, nprocs)
        wait_for = n_done + int(rng.integers(1, 3))
        while process.poll() is None and _n_records(out) < wait_for:
            time.sleep(0.005)
        time.sleep(float(rng.uniform(0, 0.05)))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.wait()
        n_done = _n_records(out)
    assert kills
    done = run(out)
    assert done.n_before == n_done
    assert done.n_failed == 0
    assert _results(out) == _results(tmp_path / "whole")
    assert not list(out.rglob("new-*"))


def _n_records(out: Path) -> int:
    return len(list(out.glob(".dtb-run/*/record.json")))


def test_the_page_shows_everything_that_is_written(run: Run, tiny: Bundle, tmp_path: Path) -> None:
    run()
    root, out = tmp_path / "source", tmp_path / "out"
    run_group(tiny, list_bids(root, TINY), out, TINY)
    page = (Path(__file__).parents[2] / "docs" / "bids.md").read_text(encoding="utf-8")
    shown = page.partition("## What is written\n")[2].partition("\n## ")[0]
    names = {path.name for path in out.iterdir() if not path.name.startswith("sub-")}
    names |= {path.name for path in (out / ".dtb-run").rglob("*.json")}
    names -= {"task-hammer_desc-twin_timeseries.json"}  # as that of the other task
    assert {".dtb-run", "descriptions.json", "ids.json", "record.json"} <= names
    assert sorted(name for name in names if name not in shown) == []
