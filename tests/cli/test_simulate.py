"""`dtb-run simulate` writes people that the other commands read."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtb_models.simulation import SimulatedCohort
from dtb_models.tcp import TcpCohort
from dtb_runtime.connectome_file import read_connectome
from dtb_runtime.parcellation import read_regions_table

Run = Callable[..., Any]

FIRST = "sub-NDARINVSIM00001"


def test_a_cohort_is_connectomes_trials_and_the_truth(
    dtb_run: Run, regions: Path, tmp_path: Path
) -> None:
    out = tmp_path / "people"
    done = dtb_run("simulate", "--regions", regions, "--n", 3, "--seed", 5, "--out", out)
    assert done.code == 0, done.err
    assert f"Wrote 3 people to {out}." in done.out
    assert "Simulated" in done.err

    cohort = SimulatedCohort(read_regions_table(regions), 3, 5)
    assert "Warning: All about these people is simulated, and so is what" in done.out
    for person in cohort.participants:
        name = f"{person.participant_id}_atlas-eight_connectome.npz"
        written = read_connectome(out / person.participant_id / name)
        assert person.connectome is not None
        np.testing.assert_array_equal(written.correlations, person.connectome.correlations)
        assert written.labels == cohort.parcellation.labels

    back = TcpCohort(out)
    assert back.kind == "simulated"
    assert back.warning == cohort.warning
    for read, made in zip(back.participants, cohort.participants, strict=True):
        for run_read, run_made in zip(read.runs, made.runs, strict=True):
            np.testing.assert_array_equal(
                run_read.responses.response_time_s, run_made.responses.response_time_s
            )

    with (out / "truth.tsv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["participant_id"] for row in rows] == list(cohort.participant_ids)
    truth = cohort.participants[1].truth
    assert truth is not None
    assert float(rows[1]["processing_speed"]) == truth["processing_speed"]


def test_the_tcp_layout_has_every_series_and_no_truth(
    dtb_run: Run, regions: Path, tmp_path: Path
) -> None:
    out = tmp_path / "cohort"
    done = dtb_run(
        "simulate",
        *("--regions", regions, "--n", 2, "--out", out, "--tcp-layout", "--json"),
    )
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["folder"] == str(out)
    assert (result["layout"], result["kind"]) == ("tcp", "simulated")
    assert (result["n_people"], result["n_regions"], result["seed"]) == (2, 8, 0)
    assert "simulated" in result["warnings"][0]
    assert not list(out.rglob("*.npz"))
    assert not (out / "truth.tsv").exists()

    parcellation = read_regions_table(regions)
    back = TcpCohort(out, out / "derivatives", parcellation=parcellation)
    made = SimulatedCohort(parcellation, 2, 0)
    first = back.participants[0].connectome
    expected = made.participants[0].connectome
    assert first is not None
    assert expected is not None
    np.testing.assert_allclose(first.correlations, expected.correlations, atol=1e-6)


def test_the_regions_of_a_bundle_can_be_predicted_with_it(
    dtb_run: Run, tiny: Path, tmp_path: Path
) -> None:
    out = tmp_path / "people"
    assert dtb_run("simulate", "--bundle", tiny, "--n", 1, "--out", out).code == 0
    file = out / FIRST / f"{FIRST}_atlas-tiny12_connectome.npz"
    done = dtb_run("predict", file, "--bundle", tiny, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["participant_id"] == FIRST


def test_the_same_seed_gives_the_same_files(dtb_run: Run, regions: Path, tmp_path: Path) -> None:
    contents = []
    for number, seed in enumerate((1, 1, 2)):
        out = tmp_path / str(number)
        arguments = ("--regions", regions, "--n", 1, "--seed", seed, "--out", out)
        assert dtb_run("simulate", *arguments).code == 0
        contents.append((out / "truth.tsv").read_bytes())
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_behavior_of_real_people_makes_it_semi_synthetic(
    dtb_run: Run, regions: Path, tmp_path: Path, shared_data: Path
) -> None:
    out = tmp_path / "semi"
    done = dtb_run(
        "simulate",
        *("--regions", regions, "--behavior-from", shared_data / "tcp", "--n", 2),
        *("--out", out, "--json"),
    )
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["kind"] == "semi-synthetic"
    assert result["n_people"] == 2
    assert "emi-synthetic" in result["warnings"][0]
    real = TcpCohort(shared_data / "tcp").participants[0]
    back = TcpCohort(out).participants[0]
    assert back.participant_id == real.participant_id
    np.testing.assert_array_equal(
        back.runs[0].responses.response_time_s, real.runs[0].responses.response_time_s
    )


def test_activations_of_real_people_make_the_response_maps(
    dtb_run: Run, tmp_path: Path, shared_data: Path
) -> None:
    tables = shared_data / "parcellations"
    arguments = ("--n", 1, "--activations", shared_data / "hcp_rest", "--json")
    own = dtb_run(
        "simulate",
        *("--regions", tables / "glasser360_cabnp.csv", *arguments, "--out", tmp_path / "own"),
    )
    assert own.code == 0, own.err
    assert "10 real people" in json.loads(own.out)["description"]
    carried = dtb_run(
        "simulate",
        *("--regions", tables / "tcp434_regions.csv", *arguments, "--out", tmp_path / "carried"),
        *("--activations-regions", tables / "glasser360_cabnp.csv"),
    )
    assert carried.code == 0, carried.err
    assert "carried over from" in json.loads(carried.out)["description"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "found neither"),
        (("--regions", "{regions}", "--bundle", "{tiny}"), "found both"),
        (("--regions", "{regions}"), "n_people"),
        (("--regions", "{regions}", "--n", "1", "--share", "2"), "share"),
        (("--regions", "{regions}", "--n", "0"), "--n"),
        (
            ("--regions", "{regions}", "--n", "1", "--activations-regions", "{regions}"),
            "Add --activations",
        ),
    ],
)
def test_options_that_do_not_go_together(
    arguments: tuple[str, ...], words: str, dtb_run: Run, regions: Path, tiny: Path, tmp_path: Path
) -> None:
    out = tmp_path / "people"
    filled = [argument.format(regions=regions, tiny=tiny) for argument in arguments]
    done = dtb_run("simulate", *filled, "--out", out)
    assert done.code == 2
    assert words in done.err
    assert not out.exists()


def test_a_bad_regions_table_leaves_nothing(dtb_run: Run, tmp_path: Path) -> None:
    table = tmp_path / "regions.csv"
    table.write_text("label,network\nA,B\n", encoding="utf-8")
    done = dtb_run("simulate", "--regions", table, "--n", 1, "--out", tmp_path / "people")
    assert done.code == 1
    assert "'hemisphere'" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["regions.csv"]


def test_a_cohort_is_not_overwritten_without_force(
    dtb_run: Run, regions: Path, tmp_path: Path
) -> None:
    out = tmp_path / "people"
    arguments = ("simulate", "--regions", regions, "--n", 1, "--out", out)
    assert dtb_run(*arguments).code == 0
    before = (out / "truth.tsv").read_bytes()
    again = dtb_run(*arguments, "--seed", 1)
    assert again.code == 1
    assert "--force" in again.err
    assert (out / "truth.tsv").read_bytes() == before
    assert dtb_run(*arguments, "--seed", 1, "--force").code == 0
    assert (out / "truth.tsv").read_bytes() != before


def test_a_folder_of_something_else_is_never_replaced(
    dtb_run: Run, regions: Path, tmp_path: Path
) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter1.txt").write_text("years of work", encoding="utf-8")
    done = dtb_run("simulate", "--regions", regions, "--n", 1, "--out", out, "--force")
    assert done.code == 1
    assert "chapter1.txt" in done.err
    assert [path.name for path in out.iterdir()] == ["chapter1.txt"]
