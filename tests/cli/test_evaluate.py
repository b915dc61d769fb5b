"""`dtb-run evaluate`: every kind of people, and trainings that go on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtb_cli.app import main
from dtb_cli.fold_training import Fold, FoldTraining
from dtb_models.judged_files import read_judged_trials
from dtb_models.metrics import figures
from dtb_runtime import load_bundle
from dtb_runtime.folder_lock import locked_folder
from dtb_runtime.manifest import Manifest
from dtb_runtime.manifest_sections import participant_digest

Run = Callable[..., Any]
TINY = Path(__file__).parents[1] / "bundles" / "tiny"


@pytest.fixture(scope="module", autouse=True)
def quick(brief_training: Any) -> Iterator[None]:
    """Trainings, forecasts and calibrations that are quick and bad."""
    with pytest.MonkeyPatch.context() as patched, brief_training():
        patched.setattr("dtb_runtime.forecast.DRAWS", 2)
        patched.setattr("dtb_runtime.posterior_search.N_DRAWS", 4)
        patched.setattr("dtb_runtime.posterior_search.MAX_STEPS", 1)
        patched.setattr("dtb_models.evaluation_controls.N_SHUFFLES", 1)
        patched.setattr("dtb_export.bundle_writer.check_parity", lambda *_: None)
        yield


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Instead of trainings, which take a while, the tiny bundle; the names of the folds."""
    names: list[str] = []

    def train(self: FoldTraining, fold: Fold, on_progress: Any) -> None:
        on_progress(1, 1, "nothing learned")
        # Made as in a training, so that people who cannot be trained on are noticed.
        cohort = fold.cohort(self.people)
        _write_changed(
            self.bundle(fold), fold.name, description=cohort.description, kind=cohort.kind
        )
        names.append(fold.name)

    monkeypatch.setattr(FoldTraining, "train", train)
    return names


def _write_changed(folder: Path, name: str, **training: Any) -> None:
    """Write the tiny bundle with another name, and other facts about its training."""
    shutil.copytree(TINY, folder)
    file = folder / "manifest.json"
    manifest = Manifest.from_bytes(file.read_bytes())
    changed = replace(manifest, name=name, training=replace(manifest.training, **training))
    file.write_bytes(changed.to_bytes())


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Regions table of the tiny bundle."""
    parcellation = load_bundle(TINY, device="cpu").manifest.parcellation
    assert parcellation is not None
    rows = ["label,network,hemisphere,x,y,z"]
    for label, network, side, place in zip(
        parcellation.labels,
        parcellation.network,
        parcellation.hemisphere,
        parcellation.coordinates,
        strict=True,
    ):
        xyz = ",".join("" if np.isnan(x) else f"{x:g}" for x in place)
        rows.append(f"{label},{network},{side},{xyz}")
    path = tmp_path_factory.mktemp("regions") / "tiny12_regions.csv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


N_PEOPLE = 20
"""Traits of real people are measured by comparing at least so many."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six simulated people of the tiny regions in the layout of the study."""
    return made_study(tmp_path_factory.mktemp("study") / "bids", 6)


def made_study(folder: Path, n_people: int) -> Path:
    words = ["simulate", "--bundle", str(TINY), "--n", str(n_people), "--tcp-layout"]
    assert main([*words, "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def events_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty people without scans, said to be real."""
    folder = made_study(tmp_path_factory.mktemp("events") / "bids", N_PEOPLE)
    shutil.rmtree(folder / "derivatives")
    (folder / "dataset_description.json").unlink()
    return folder


@pytest.fixture(scope="module")
def few_events(events_only: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six of them."""
    folder = tmp_path_factory.mktemp("few") / "bids"
    folder.mkdir()
    for person in sorted(events_only.glob("sub-*"))[:6]:
        shutil.copytree(person, folder / person.name)
    return folder


SMALL = ("--updates", 2, "--personal-units", 4, "--latent-size", 4, "--device", "cpu", "--jobs", 1)


def test_a_bundle_is_judged_on_a_folder_that_has_events_only(
    dtb_run: Run, few_events: Path, tmp_path: Path
) -> None:
    out = tmp_path / "evaluation"
    done = dtb_run(
        *("evaluate", "--data", "tcp", few_events, "--protocol", "calibrated"),
        *("--bundle", TINY, "--out", out, "--jobs", 2),
    )
    assert done.code == 0, done.err
    report = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert report["data"] | {"description": ""} == {
        "kind": "real",
        "source": "tcp",
        "description": "",
        "n_people": 6,
        "connectomes": "none",
    }
    assert (report["protocol"], report["bundle"], report["folds"]) == ("calibrated", "tiny", None)
    assert report["in_sample"] is None
    assert "Warning: IT IS NOT KNOWN WHETHER BUNDLE tiny WAS TRAINED ON THESE PEOPLE" in done.out
    assert "which rule" in done.out
    assert f"Wrote {out}" in done.err
    table = read_judged_trials(out / "judged" / "twin.tsv")
    assert report["methods"]["twin"]["figures"] == {
        name: figure.to_json() for name, figure in figures(table).items()
    }
    assert len(list((out / "predictions").glob("*_desc-twin_summary.json"))) == 6
    again = dtb_run("evaluate", "--data", "tcp", few_events, "--bundle", TINY, "--out", out)
    assert again.code == 1
    assert "holds an evaluation already" in again.err


def test_json_goes_to_stdout_and_the_default_protocol_is_calibrated(
    dtb_run: Run, study: Path
) -> None:
    done = dtb_run("evaluate", "--data", "tcp", study, "--bundle", TINY, "--json", "--jobs", 1)
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["protocol"] == "calibrated"
    assert report["data"]["connectomes"] == "simulated"  # written and read, still not real
    assert {"control/connectome_alone", "control/shuffled"} <= set(report["methods"])
    assert report["maps"]["window_s"] == [196.8, 393.6]
    assert report["maps"]["n_people"]["hammer"] == report["judged"]["hammer"]


def test_people_without_scans_are_trained_on_with_simulated_brains(
    dtb_run: Run, events_only: Path, table: Path, tmp_path: Path, untrained: list[str]
) -> None:
    out = tmp_path / "evaluation"
    words = (
        *("evaluate", "--data", "tcp", events_only, "--folds", 2, "--regions", table),
        *("--out", out, *SMALL),
    )
    done = dtb_run(*words, "--json")
    assert done.code == 0, done.err
    assert untrained == ["fold-1", "fold-2"]
    report = json.loads(done.out)
    assert report["folds"] == 2
    assert report["in_sample"] == 0
    assert report["data"]["kind"] == "real"
    assert report["training"]["kind"] == "semi-synthetic"
    assert report["training"]["settings"]["updates"] == 2
    assert report["training"]["settings"]["held_out_fraction"] == 0
    assert "trained with connectomes and BOLD simulated around the real" in report["warnings"][0]
    assert "control/connectome_alone" not in report["methods"]  # it would know judged trials
    assert report["maps"] is None
    people = json.loads((out / "folds" / "plan.json").read_text(encoding="utf-8"))["folds"]
    parts = [set(fold["train_on"]) for fold in people]
    assert len(parts[0] | parts[1]) == N_PEOPLE
    assert not parts[0] & parts[1]  # two parts: each is trained on where the other is judged
    summaries = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in (out / "predictions").glob("*_summary.json")
    ]
    assert len(summaries) == N_PEOPLE
    for summary in summaries:
        number = int(summary["bundle"].removeprefix("fold-"))
        assert summary["participant_id"] not in parts[number - 1]


def test_an_evaluation_goes_on_with_what_is_trained(
    dtb_run: Run,
    study: Path,
    table: Path,
    tmp_path: Path,
    untrained: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "evaluation"
    words = (
        *("evaluate", "--data", "tcp", study, "--folds", 3, "--regions", table),
        *("--out", out, "--protocol", "new-people", *SMALL),
    )
    train = FoldTraining.train

    def killed(self: FoldTraining, fold: Fold, on_progress: Any) -> None:
        if untrained:
            raise KeyboardInterrupt
        train(self, fold, on_progress)

    with monkeypatch.context() as interrupted:
        interrupted.setattr(FoldTraining, "train", killed)
        assert dtb_run(*words).code != 0
    assert untrained == ["fold-1"]
    assert dtb_run(*words).code == 1  # neither --resume nor --force
    done = dtb_run(*words, "--resume", "--json")
    assert done.code == 0, done.err
    assert untrained == ["fold-1", "fold-2", "fold-3"]
    first = json.loads(done.out)
    assert first["data"]["connectomes"] == "simulated"  # written and read, still not real
    assert first["training"]["kind"] == "simulated"
    again = dtb_run(*words, "--resume", "--json")
    assert "Training" not in again.err
    assert json.loads(again.out)["methods"] == first["methods"]
    other = dtb_run(*words, "--resume", "--latent-size", 5)
    assert other.code == 1
    assert "begun with other options: latent_size 4 (now 5)" in other.err
    assert dtb_run(*words, "--force").code == 0
    assert untrained[3:] == ["fold-1", "fold-2", "fold-3"]


def test_the_temporal_protocol_trains_on_everybodys_first_half(
    dtb_run: Run, study: Path, table: Path, tmp_path: Path, untrained: list[str]
) -> None:
    out = tmp_path / "evaluation"
    done = dtb_run(
        *("evaluate", "--data", "tcp", study, "--protocol", "temporal"),
        *("--regions", table, "--out", out, *SMALL, "--json"),
    )
    assert done.code == 0, done.err
    assert untrained == ["first-halves"]
    report = json.loads(done.out)
    assert report["folds"] is None
    assert report["in_sample"] == max(report["judged"].values())
    bundle = load_bundle(out / "folds" / "first-halves" / "bundle")
    assert "Only the first 196.8 s" in bundle.manifest.training.description


def test_connectomes_simulated_around_judged_trials_are_said(
    dtb_run: Run, events_only: Path, table: Path, tmp_path: Path, untrained: list[str]
) -> None:
    done = dtb_run(
        *("evaluate", "--data", "tcp", events_only, "--protocol", "new-people", "--folds", 2),
        *("--regions", table, "--out", tmp_path / "e", *SMALL, "--json"),
    )
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert "say nothing about real connectomes" in report["warnings"][0]
    assert report["data"]["connectomes"] == "simulated"
    assert report["data"]["kind"] == "semi-synthetic"


def test_the_papers_network_is_judged_from_connectomes(
    dtb_run: Run, study: Path, table: Path, tmp_path: Path
) -> None:
    done = dtb_run(
        *("evaluate", "--data", "tcp", study, "--protocol", "temporal", "--preset", "paper"),
        *("--hidden-size", 5, "--epochs", 1, "--regions", table, "--out", tmp_path / "e"),
        *("--device", "cpu", "--jobs", 1, "--json"),
    )
    # The twelve regions of the tests are too coarse for the paper's twenty areas.
    assert done.code == 2
    assert "too coarse for the paper's BOLD areas" in done.err


def test_simulated_people_are_trained_on_and_new_ones_judged(
    dtb_run: Run, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "evaluation"
    done = dtb_run(
        *("evaluate", "--data", "simulated", "--people", 8, "--new", 6, "--regions", table),
        *("--out", out, *SMALL, "--seed", 3),
    )
    assert done.code == 0, done.err
    report = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert report["protocol"] == "new-people"
    assert report["data"]["n_people"] == 6
    assert report["planted"]["n_training"] == 8
    assert report["planted"]["n_new"] == 6
    assert report["in_sample"] == 0
    bundle = load_bundle(out / "folds" / "training-people" / "bundle")
    assert bundle.manifest.training.n_train == 8
    assert bundle.manifest.training.n_test == 0
    judged = set(read_judged_trials(out / "judged" / "twin.tsv").participant_id)
    assert judged <= {f"sub-NDARINVSIM{i:05d}" for i in range(9, 15)}
    assert "planted" in done.out
    assert "reaction_time:stroop" in done.out


def test_a_bundle_is_judged_on_simulated_people(dtb_run: Run) -> None:
    done = dtb_run(
        *("evaluate", "--data", "simulated", "--bundle", TINY, "--people", 8, "--new", 6),
        *("--jobs", 1, "--json"),
    )
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert report["training"] is None
    assert report["bundle"] == "tiny"
    assert report["planted"]["n_new"] == 6
    assert report["in_sample"] is None


@pytest.fixture(scope="module")
def activations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people with rest and activations in the tiny regions."""
    rng = np.random.default_rng(5)
    folder = tmp_path_factory.mktemp("hcp")
    group = rng.standard_normal((12, 2))
    for name in ("sub-1", "sub-2", "sub-3", "sub-4"):
        (folder / name).mkdir()
        series = rng.standard_normal((80, 12)).astype(np.float32)
        np.save(folder / name / f"{name}_task-rest_atlas-T_timeseries.npy", series)
        betas = group + 0.4 * rng.standard_normal((12, 2))
        lines = [f"{i}\t{face:.5f}\t{shape:.5f}" for i, (face, shape) in enumerate(betas)]
        text = "\n".join(["region_index\tfaces\tshapes", *lines, ""])
        file = folder / name / f"{name}_task-emotion_atlas-T_betas.tsv"
        file.write_text(text, encoding="utf-8")
    return folder


def test_maps_of_real_brains_are_judged(dtb_run: Run, activations: Path, tmp_path: Path) -> None:
    done = dtb_run(
        *("evaluate", "--data", "hcp", activations, "--bundle", TINY, "--out", tmp_path / "e")
    )
    assert done.code == 0, done.err
    report = json.loads((tmp_path / "e" / "metrics.json").read_text(encoding="utf-8"))
    assert report["judged"] == {"hammer": 4}
    assert report["maps"]["leave_one_out"] is False
    assert "is the own forecast the closest?" in done.out
    assert "IT IS NOT KNOWN WHETHER BUNDLE tiny WAS MADE WITH THESE PEOPLE'S" in done.out
    assert (tmp_path / "e" / "predictions" / "sub-1_task-hammer_desc-twin_contrasts.tsv").is_file()


def test_maps_are_judged_by_networks_that_do_not_know_the_person(
    dtb_run: Run, activations: Path, table: Path, tmp_path: Path, untrained: list[str]
) -> None:
    out = tmp_path / "evaluation"
    done = dtb_run(
        *("evaluate", "--data", "hcp", activations, "--leave-one-out", "--people", 8),
        *("--regions", table, "--out", out, *SMALL, "--json"),
    )
    assert done.code == 0, done.err
    assert untrained == [
        *(f"without-sub-{i}" for i in range(1, 5)),
        *("without-half-1", "without-half-2"),
    ]
    report = json.loads(done.out)
    assert report["maps"]["leave_one_out"] is True
    assert report["folds"] == 4
    assert report["training"]["settings"]["updates"] == 2
    assert [len(half["unseen"]) for half in report["maps"]["group"]["unseen_half_r"]] == [2, 2]
    bundle = load_bundle(out / "folds" / "without-sub-2" / "bundle")
    assert "mean activations of 3 real people" in bundle.manifest.training.description
    bundle = load_bundle(out / "folds" / "without-half-1" / "bundle")
    assert "mean activations of 2 real people" in bundle.manifest.training.description


def test_a_bundle_that_knows_the_judged_people_says_so(
    dtb_run: Run, few_events: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "knowing"
    ids = [path.name for path in sorted(few_events.glob("sub-*"))]
    digests = tuple(participant_digest(one) for one in ids[:4])
    _write_changed(bundle, "knowing", participants=digests)
    done = dtb_run(
        *("evaluate", "--data", "tcp", few_events, "--bundle", bundle, "--jobs", 1),
        *("--protocol", "temporal", "--out", tmp_path / "e"),
    )
    assert done.code == 0, done.err
    assert "WAS TRAINED ON 4 OF THE 6 JUDGED PEOPLE" in done.out
    assert "was not trained for the temporal protocol" in done.out
    report = json.loads((tmp_path / "e" / "metrics.json").read_text(encoding="utf-8"))
    assert report["in_sample"] == 4


def test_connectomes_that_are_not_there_are_said(
    dtb_run: Run, events_only: Path, table: Path, tmp_path: Path
) -> None:
    done = dtb_run(
        *("evaluate", "--data", "tcp", events_only, "--protocol", "new-people", "--bundle", TINY)
    )
    assert done.code == 2
    assert "made from connectomes alone" in done.err
    done = dtb_run(
        *("evaluate", "--data", "tcp", events_only, "--regions", table, "--out", tmp_path / "e"),
        *("--direct-input", *SMALL),
    )
    assert done.code == 2
    assert "--direct-input is a control that takes connectomes" in done.err
    assert not (tmp_path / "e").exists()


def test_two_evaluations_do_not_write_to_one_folder(
    dtb_run: Run, few_events: Path, tmp_path: Path
) -> None:
    words = ("evaluate", "--data", "tcp", few_events, "--bundle", TINY, "--out", tmp_path / "out")
    with locked_folder(tmp_path / "out"):
        done = dtb_run(*words)
    assert done.code == 1
    assert "Another process is writing to" in done.err
    assert not (tmp_path / "out").exists()
