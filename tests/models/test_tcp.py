"""The TCP layout: what is written is read back, and folders that are not of it are refused."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from dtb_models.simulation import SimulatedCohort
from dtb_models.tcp import TcpCohort
from dtb_models.tcp_layout import (
    MOTION_FOLDER,
    SERIES_FOLDER,
    participant_id_of,
    read_phenotypes,
    series_folder_name,
    series_name,
)
from dtb_models.tcp_series import fault_of, read_motion, read_series
from dtb_models.tcp_writer import write_tcp
from dtb_runtime.errors import CohortError, MissingDependencyError, OutputError, UsageError
from dtb_runtime.parcellation import Parcellation

FIRST = "sub-NDARINVSIM00001"


@pytest.fixture(scope="module")
def simulated(small_parcellation: Parcellation) -> SimulatedCohort:
    return SimulatedCohort(small_parcellation, 3, seed=8, n_rest_runs=3, n_rest_frames=90)


@pytest.fixture(scope="module")
def written(simulated: SimulatedCohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulated.write_tcp(tmp_path_factory.mktemp("tcp") / "cohort")


@pytest.fixture
def copy(written: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(written, tmp_path / "copy"))


@pytest.fixture
def read(small_parcellation: Parcellation) -> Callable[[Path], TcpCohort]:
    def reader(folder: Path) -> TcpCohort:
        return TcpCohort(folder, folder / "derivatives", parcellation=small_parcellation)

    return reader


def series_path(folder: Path, participant_id: str, run: str) -> Path:
    person = series_folder_name(participant_id)
    return folder / "derivatives" / SERIES_FOLDER / person / series_name(run)


def test_a_written_cohort_is_read_back_as_it_was(
    simulated: SimulatedCohort, written: Path, read: Callable[[Path], TcpCohort]
) -> None:
    cohort = read(written)
    assert dict(cohort.skipped) == {}
    assert cohort.notes == ()
    assert len(cohort.participants) == 3
    for found, expected in zip(cohort.participants, simulated.participants, strict=True):
        assert found.participant_id == expected.participant_id
        assert dict(found.phenotype) == dict(expected.phenotype)
        assert found.connectome is not None
        assert expected.connectome is not None
        assert found.connectome.digest() == expected.connectome.digest()
        assert found.connectome.labels == expected.connectome.labels
        assert [run.run for run in found.runs] == [run.run for run in expected.runs]
        assert {name: values.tolist() for name, values in found.motion_fd.items()} == {
            name: values.tolist() for name, values in expected.motion_fd.items()
        }
        for one, other in zip(found.runs, expected.runs, strict=True):
            assert one.task == other.task
            assert dict(one.events.columns) == dict(other.events.columns)
            assert one.events.trial_type == other.events.trial_type
            assert one.events.n_frames == other.events.n_frames
            np.testing.assert_array_equal(one.events.onset_s, other.events.onset_s)
            np.testing.assert_array_equal(one.events.duration_s, other.events.duration_s)
            for field in ("response_time_s", "correct", "usable"):
                np.testing.assert_array_equal(
                    getattr(one.responses, field), getattr(other.responses, field)
                )
            np.testing.assert_array_equal(one.bold, other.bold)


def test_what_was_read_can_be_written_again(
    written: Path, read: Callable[[Path], TcpCohort], tmp_path: Path
) -> None:
    again = write_tcp(read(written), tmp_path / "again")
    files = sorted(path.relative_to(written) for path in written.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    for name in files:
        if name.suffix in (".tsv", ".csv"):
            assert (again / name).read_bytes() == (written / name).read_bytes()


def test_the_layout_is_that_of_the_release(written: Path, simulated: SimulatedCohort) -> None:
    events = written / FIRST / "func" / f"{FIRST}_task-stroopAP_run-01_events.tsv"
    header = events.read_text().splitlines()[0].split("\t")
    assert header[:3] == ["onset", "duration", "trial_type"]
    assert {"response_time", "accuracy_binarized", "stimulus_text"} <= set(header)
    path = (
        written
        / "derivatives/fMRI_timeseries_clean_denoised_GSR_parcellated/NDAR_INVSIM00001"
        / "task-restPA_run-01_bold_Atlas_hp2000_clean_GSR_parcellated.h5"
    )
    with h5py.File(path) as file:
        (dataset,) = file.values()
        assert dataset.shape == (26, 90)
        assert dataset.dtype == np.float64
        expected = simulated.rest_runs(FIRST)["restPA_run-01"].T
        np.testing.assert_array_equal(dataset[...], expected)
    motion = written / "derivatives" / "motion_FD" / "TCP_FD_stroopAP_run-01.csv"
    assert motion.read_text().startswith("NDAR_INVSIM00001,0.")


def test_simulated_people_do_not_come_back_as_real_ones(
    written: Path, simulated: SimulatedCohort, read: Callable[[Path], TcpCohort]
) -> None:
    cohort = read(written)
    assert cohort.kind == simulated.kind == "simulated"
    assert cohort.warning == simulated.warning
    assert "3 people of a simulated cohort" in cohort.description


def test_a_folder_that_says_nothing_holds_real_people(
    copy: Path, read: Callable[[Path], TcpCohort]
) -> None:
    (copy / "dataset_description.json").unlink()
    cohort = read(copy)
    assert cohort.kind == "real"
    assert cohort.warning is None
    assert cohort.description.startswith("3 people with connectomes, task BOLD, trials of hammer")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "must hold a JSON object, found list"),
        ('{"CohortKind": "dreamt"}', "must be one of simulated, semi-synthetic, real"),
        ('{"Warning": 3}', "a sentence, found 'real' and 3"),
    ],
)
def test_a_broken_description_is_an_error(copy: Path, content: str, message: str) -> None:
    (copy / "dataset_description.json").write_text(content)
    with pytest.raises(CohortError, match=message):
        TcpCohort(copy)


def test_events_alone_make_people_without_brains(written: Path) -> None:
    cohort = TcpCohort(written)
    person = cohort.participants[0]
    assert person.connectome is None
    assert not person.runs[0].has_bold
    with pytest.raises(UsageError, match=r"no resting scans of 'sub-NDARINVSIM00001' here"):
        cohort.rest_runs(FIRST)


def test_series_turned_round_are_the_same(copy: Path, read: Callable[[Path], TcpCohort]) -> None:
    before = read(copy).participants[0].connectome
    path = series_path(copy, FIRST, "restAP_run-01")
    with h5py.File(path) as file:
        values = next(iter(file.values()))[...]
    with h5py.File(path, "w") as file:
        file["deep/inside/another name"] = values.T
        file["comment"] = "not a series"
        file["vector"] = np.arange(7)
    after = read(copy).participants[0].connectome
    assert before is not None
    assert after is not None
    assert before.digest() == after.digest()


def test_people_are_skipped_with_a_reason(copy: Path, read: Callable[[Path], TcpCohort]) -> None:
    shutil.rmtree(copy / FIRST)
    second = "sub-NDARINVSIM00002"
    for run in ("restAP_run-01", "restAP_run-02", "restPA_run-01"):
        series_path(copy, second, run).unlink()
    cohort = read(copy)
    assert [person.participant_id for person in cohort.participants] == ["sub-NDARINVSIM00003"]
    assert dict(cohort.skipped) == {
        FIRST: "no events of hammer or stroop that can be used",
        second: "no resting series",
    }
    assert cohort.description.endswith("2 left out.")


def test_too_little_rest_is_a_reason(copy: Path, read: Callable[[Path], TcpCohort]) -> None:
    series_path(copy, FIRST, "restAP_run-01").unlink()
    series_path(copy, FIRST, "restAP_run-02").write_bytes(b"junk")
    reason = read(copy).skipped[FIRST]
    assert reason.startswith("90 usable frames of rest, at least 200 are needed")
    assert "task-restAP_run-02_bold" in reason
    assert "cannot be read as HDF5" in reason


def test_bad_runs_are_left_out_and_noted(copy: Path, small_parcellation: Parcellation) -> None:
    second = "sub-NDARINVSIM00002"
    events = copy / FIRST / "func" / f"{FIRST}_task-hammerAP_run-01_events.tsv"
    events.write_text(events.read_text().replace("stimTop", "stimUp"))
    series_path(copy, FIRST, "stroopAP_run-01").unlink()
    with h5py.File(series_path(copy, FIRST, "restPA_run-01"), "r+") as file:
        next(iter(file.values()))[4, 10] = np.nan
    with h5py.File(series_path(copy, second, "stroopAP_run-01"), "r+") as file:
        next(iter(file.values()))[2] = 1.0
    cohort = TcpCohort(
        copy, copy / "derivatives", parcellation=small_parcellation, min_rest_frames=150
    )
    assert dict(cohort.skipped) == {}
    first, other = cohort.participants[:2]
    assert [(run.run, run.has_bold) for run in first.runs] == [("stroopAP_run-01", False)]
    assert list(cohort.rest_runs(FIRST)) == ["restAP_run-01", "restAP_run-02"]
    assert [run.has_bold for run in other.runs] == [True, False]
    assert cohort.notes[0].startswith(
        f"{FIRST}_task-hammerAP_run-01_events.tsv has no column 'stimTop'"
    )
    assert cohort.notes[1:] == (
        f"{FIRST}: no BOLD of stroopAP_run-01.",
        f"{FIRST}, {series_name('restPA_run-01')}: "
        "1 regions are not finite, the first at position 4.",
        f"{second}, {series_name('stroopAP_run-01')}: "
        "1 regions never change, the first at position 2.",
    )


def test_people_of_the_table_without_a_folder_are_skipped_too(copy: Path) -> None:
    with (copy / "participants.tsv").open("a") as file:
        file.write("sub-NDARINVGONE\tSimulated\n")
    assert "sub-NDARINVGONE" in TcpCohort(copy).skipped


def test_folders_that_are_no_cohort_are_refused(tmp_path: Path, written: Path) -> None:
    with pytest.raises(CohortError, match=r"Expected a BIDS folder at .*nowhere, found nothing"):
        TcpCohort(tmp_path / "nowhere")
    with pytest.raises(CohortError, match=r"found a file"):
        TcpCohort(written / "participants.tsv")
    with pytest.raises(CohortError, match=r"participants' folders sub-<id> in .*, found none"):
        TcpCohort(tmp_path)
    with pytest.raises(CohortError, match=r"Expected a derivatives folder at .*, found nothing"):
        TcpCohort(written, tmp_path / "nowhere")
    with pytest.raises(
        CohortError, match=rf"Expected the folder {SERIES_FOLDER} in .*participants"
    ):
        TcpCohort(written, written)
    (tmp_path / "sub-a").mkdir()
    with pytest.raises(CohortError, match=r"None of the 1 participants .* sub-a: no events"):
        TcpCohort(tmp_path)
    (tmp_path / "participants.tsv").write_text("person\tage\nsub-a\t3\n")
    with pytest.raises(CohortError, match=r"no column 'participant_id'; found person, age"):
        TcpCohort(tmp_path)


def test_the_series_folder_itself_will_do(written: Path, small_parcellation: Parcellation) -> None:
    folder = written / "derivatives" / SERIES_FOLDER
    assert TcpCohort(written, folder, parcellation=small_parcellation).participants[0].connectome


def test_series_of_another_atlas_say_which_axis_was_looked_for(written: Path) -> None:
    with pytest.raises(
        CohortError, match=r"one axis of 434 regions, found shape 26 x 90, where neither could be"
    ):
        TcpCohort(written, written / "derivatives")


def test_a_square_series_has_no_orientation(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.ones((5, 5))
    with pytest.raises(CohortError, match=r"found shape 5 x 5, where both could be it"):
        read_series(tmp_path / "a.h5", 5)


def test_a_file_with_two_series_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.ones((5, 7))
        file["group/y"] = np.ones((5, 7))
    with pytest.raises(CohortError, match=r"exactly one .*, found 2 \(/group/y, /x\)"):
        read_series(tmp_path / "a.h5", 5)
    with pytest.raises(CohortError, match=r"There is no file at .*b\.h5"):
        read_series(tmp_path / "b.h5", 5)


def test_axes_of_length_one_are_dropped(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.arange(35.0).reshape(1, 5, 7)
    series = read_series(tmp_path / "a.h5", 5)
    np.testing.assert_array_equal(series, np.arange(35.0).reshape(5, 7).T)
    assert series.dtype == np.float32


def test_faults_of_series(rng: np.random.Generator) -> None:
    series = rng.standard_normal((9, 3)).astype(np.float32)
    assert fault_of(series) is None
    assert fault_of(series[:1]) == "it has 1 frame"


def test_series_need_h5py(
    written: Path, read: Callable[[Path], TcpCohort], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "dtb-runtime\[imaging\]"'):
        read(written)
    with pytest.raises(MissingDependencyError, match=r'pip install "dtb-runtime\[imaging\]"'):
        write_tcp(TcpCohort(written), written.parent / "other")
    assert not (written.parent / "other").exists()


@pytest.mark.parametrize(
    ("participant_id", "folder"),
    [("sub-NDARINVAG023WG3", "NDAR_INVAG023WG3"), ("sub-17", "17")],
)
def test_names_of_people(participant_id: str, folder: str) -> None:
    assert series_folder_name(participant_id) == folder


def test_names_of_people_in_tables() -> None:
    assert participant_id_of("NDAR_INVAB1") == "sub-NDARINVAB1"
    assert participant_id_of(" sub-NDARINVAB1") == "sub-NDARINVAB1"
    assert participant_id_of("0.25") is None


@pytest.mark.parametrize(
    "text",
    [
        "NDAR_INVA,0.1,0.2,0.3\nNDAR_INVB,0.4,0.5,\n",
        "subject,f1,f2,f3\nNDAR_INVA,0.1,0.2,0.3\nNDAR_INVB,0.4,0.5,NaN\n",
        "NDAR_INVA,NDAR_INVB\n0.1,0.4\n0.2,0.5\n0.3\n",
        ",NDAR_INVA,NDAR_INVB\n1,0.1,0.4\n2,0.2,0.5\n3,0.3,\n",
    ],
)
def test_motion_stands_in_rows_or_in_columns(tmp_path: Path, text: str) -> None:
    (tmp_path / "fd.csv").write_text(text)
    motion = read_motion(tmp_path / "fd.csv")
    assert {name: values.tolist() for name, values in motion.items()} == {
        "sub-NDARINVA": [0.1, 0.2, 0.3],
        "sub-NDARINVB": [0.4, 0.5],
    }


def test_motion_without_names_is_noted(copy: Path, read: Callable[[Path], TcpCohort]) -> None:
    table = copy / "derivatives" / MOTION_FOLDER / "TCP_FD_hammerAP_run-01.csv"
    table.write_text("0.1,0.2\n0.3,0.4\n")
    with pytest.raises(
        CohortError, match=r"must name people \(NDAR_INV...\) .*, found '0.1' first"
    ):
        read_motion(table)
    cohort = read(copy)
    assert "must name people" in cohort.notes[0]
    assert "hammerAP_run-01" not in cohort.participants[0].motion_fd
    assert "stroopAP_run-01" in cohort.participants[0].motion_fd


def test_a_folder_is_not_overwritten(written: Path, simulated: SimulatedCohort) -> None:
    with pytest.raises(OutputError, match=r"cohort exists\. .* --force"):
        simulated.write_tcp(written)
    with pytest.raises(OutputError, match=r"is a file, expected a folder"):
        simulated.write_tcp(written / "participants.tsv")


def test_force_replaces_a_cohort_and_nothing_else(
    copy: Path, simulated: SimulatedCohort, read: Callable[[Path], TcpCohort]
) -> None:
    (copy / FIRST / "stray").mkdir()
    simulated.write_tcp(copy, force=True)
    assert not (copy / FIRST / "stray").exists()
    assert len(read(copy).participants) == 3
    (copy / "thesis.txt").write_text("")
    with pytest.raises(OutputError, match=r"holds other things \(thesis\.txt\)"):
        simulated.write_tcp(copy, force=True)
    assert (copy / "participants.tsv").exists()


def test_a_write_that_fails_leaves_nothing(
    simulated: SimulatedCohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dtb_models.tcp_writer._write_motion", full)
    with pytest.raises(OutputError, match=r"out cannot be written: No space left on device"):
        simulated.write_tcp(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_progress_counts_people(simulated: SimulatedCohort, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    simulated.write_tcp(tmp_path / "out", progress=lambda done, of: seen.append((done, of)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    described = json.loads((tmp_path / "out" / "dataset_description.json").read_text())
    assert described["CohortKind"] == "simulated"


def test_the_real_events_are_all_read(shared_data: Path) -> None:
    cohort = TcpCohort(shared_data / "tcp")
    assert len(cohort.participants) == 180
    assert cohort.kind == "real"
    assert cohort.notes == ()
    assert set(cohort.skipped.values()) == {"no events of hammer or stroop that can be used"}
    runs = [run for person in cohort.participants for run in person.runs]
    assert len(runs) == 172 + 178 + 171
    assert {run.events.n_trials for run in runs if run.task == "stroop"} == {78}
    person = {person.participant_id: person for person in cohort.participants}[
        "sub-NDARINVDW733XXB"
    ]
    assert person.phenotype["age"] == "29.33"


def test_a_replacement_that_fails_at_the_end_keeps_the_old_cohort(
    copy: Path, simulated: SimulatedCohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.stat().st_size for path in copy.rglob("*") if path.is_file()}
    rename = Path.rename

    def fail_to_place(self: Path, target: Path) -> Path:
        if target == copy and self.name != "old":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_to_place)
    with pytest.raises(OutputError, match="No space left on device"):
        simulated.write_tcp(copy, force=True)
    assert {path: path.stat().st_size for path in copy.rglob("*") if path.is_file()} == before
    assert [path.name for path in copy.parent.iterdir() if path.name.startswith(".")] == []


def test_a_disk_that_is_full_for_series_leaves_nothing(
    simulated: SimulatedCohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bytes = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.suffix == ".h5":
            raise OSError(28, "No space left on device")
        return write_bytes(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"out cannot be written: No space left on device"):
        simulated.write_tcp(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_rows_of_one_person_must_not_differ(tmp_path: Path) -> None:
    table = tmp_path / "participants.tsv"
    table.write_text("participant_id\tage\nsub-a\t30\nsub-b\t20\nsub-a\t30\n")
    assert {one: row["age"] for one, row in read_phenotypes(tmp_path).items()} == {
        "sub-a": "30",
        "sub-b": "20",
    }
    table.write_text("participant_id\tage\nsub-a\t30\nsub-a\t40\n")
    with pytest.raises(CohortError, match=r"more than one row of sub-a, and they differ"):
        read_phenotypes(tmp_path)
