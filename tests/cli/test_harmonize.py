"""`dtb-run harmonize` and `dtb-run score --harmonize` as a person runs them."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from .conftest import TINY, Outcome

Run = Callable[..., Outcome]
BUNDLE = ("--bundle", TINY)


@pytest.fixture(autouse=True)
def _needs_library() -> None:
    if importlib.util.find_spec("neuroHarmonize") is None:
        pytest.skip("neuroHarmonize, of the extra imaging, is not installed")


def write_people(folder: Path, rng: np.random.Generator, n: int, sites: str = "AB") -> Path:
    """People of two sites, the second of which moves every edge up, and their table."""
    folder.mkdir()
    lines = ["participant_id\tpath\tage\tsex\tsite"]
    for number in range(n):
        series = rng.standard_normal((150, 12)) + rng.standard_normal((150, 1))
        of_site = number % len(sites)
        series += of_site * rng.standard_normal((150, 1))
        np.save(folder / f"{number}.npy", np.corrcoef(series.T))
        age, sex = rng.integers(20, 60), "FM"[int(rng.integers(0, 2))]
        lines.append(f"sub-{number:02d}\t{number}.npy\t{age}\t{sex}\t{sites[of_site]}")
    table = folder / "people.tsv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def rows_of(out: Path) -> list[dict[str, str]]:
    lines = (out / "cohort.tsv").read_text(encoding="utf-8").splitlines()
    header = lines[0].split("\t")
    return [dict(zip(header, line.split("\t"), strict=True)) for line in lines[1:]]


def test_sites_are_fitted_and_taken_off(
    dtb_run: Run, rng: np.random.Generator, tmp_path: Path
) -> None:
    reference = write_people(tmp_path / "reference", rng, 40)
    sites = tmp_path / "sites.npz"
    done = dtb_run("harmonize", reference, *BUNDLE, "--out", sites)
    assert done.code == 0, done.err
    assert "Fitted 2 sites on 40 people and 66 edges (tiny12); effects of age and sex" in done.out
    assert f"Wrote {sites}" in done.err
    content = sites.read_bytes()
    again = dtb_run("harmonize", reference, *BUNDLE, "--out", sites, "--force", "--json")
    assert [site["people"] for site in json.loads(again.out)["sites"]] == [20, 20]
    assert sites.read_bytes() == content
    assert "exists already" in dtb_run("harmonize", reference, *BUNDLE, "--out", sites).err

    cohort = write_people(tmp_path / "cohort", rng, 20, "ABC")
    words = ("score", cohort, *BUNDLE, "--harmonize", sites)
    done = dtb_run(*words, "--out", tmp_path / "one", "--jobs", "1", "--json")
    assert done.code == 1
    result = json.loads(done.out)
    run = json.loads((tmp_path / "one" / "run.json").read_text())
    assert result["harmonized_with"] == run["scored"]["settings"]["harmonization"]
    rows = rows_of(tmp_path / "one")
    for row in rows:
        assert (row["status"] == "failed") == (row["site"] == "C")
        assert ("Site 'C' is not one of those" in row["error"]) == (row["site"] == "C")
        note = f"Harmonized with sites.npz from site {row['site']!r}"
        assert (note in row["notes"]) == (row["status"] == "ok")
    assert dtb_run(*words, "--out", tmp_path / "two", "--jobs", "2").code == 1
    for name in ("cohort.tsv", "cohort.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()

    # Site B moved every edge up; afterwards it does not.
    assert dtb_run("score", cohort, *BUNDLE, "--out", tmp_path / "plain", "--jobs", "1").code == 0
    gaps = []
    for out in ("plain", "one"):
        of_site = {
            site: [float(r["mean_r"]) for r in rows_of(tmp_path / out) if r["site"] == site]
            for site in "AB"
        }
        gaps.append(abs(np.mean(of_site["A"]) - np.mean(of_site["B"])))
    assert gaps[1] < 0.2 * gaps[0]


def test_a_run_goes_on_with_the_same_model_only(
    dtb_run: Run, rng: np.random.Generator, tmp_path: Path
) -> None:
    people = write_people(tmp_path / "people", rng, 16)
    sites, out = tmp_path / "sites.npz", tmp_path / "out"
    words = ("score", people, *BUNDLE, "--out", out, "--jobs", "1")
    assert dtb_run("harmonize", people, *BUNDLE, "--out", sites, "--covariates", "sex").code == 0
    assert dtb_run(*words, "--harmonize", sites).code == 0
    assert "stay as they are" in dtb_run(*words, "--harmonize", sites).err
    refused = dtb_run(*words)
    assert refused.code == 1
    assert "results of another run (other settings: harmonization)" in refused.err
    fitted_again = ("harmonize", people, *BUNDLE, "--out", sites, "--covariates", "none", "--force")
    assert dtb_run(*fitted_again).code == 0
    assert "other settings: harmonization" in dtb_run(*words, "--harmonize", sites).err
    assert dtb_run(*words, "--harmonize", sites, "--force").code == 0


def test_what_is_missing_is_said_at_once(
    dtb_run: Run, rng: np.random.Generator, tmp_path: Path
) -> None:
    people = write_people(tmp_path / "people", rng, 16)
    sites = tmp_path / "sites.npz"

    def refused(code: int, match: str, *words: object) -> None:
        done = dtb_run(*words)
        assert done.code == code
        assert match in done.err
        assert done.out == ""

    fit = ("harmonize", people, *BUNDLE, "--out")
    refused(2, "ends in .npz", *fit, tmp_path / "sites")
    refused(2, "is no covariate", *fit, sites, "--covariates", "age,site")
    refused(2, "different names of columns", *fit, sites, "--covariates", "age,,")
    refused(1, "has no column 'scanner'", *fit, sites, "--covariates", "scanner")
    refused(1, "has no column 'center'", *fit, sites, "--site-column", "center")
    refused(2, "No such option: --impute", *fit, sites, "--impute", "cohort")
    assert not sites.exists()
    assert dtb_run(*fit, sites).code == 0
    lines = people.read_text(encoding="utf-8").splitlines()
    short = people.with_name("short.tsv")
    short.write_text("\n".join(line.rpartition("\t")[0] for line in lines), encoding="utf-8")
    score = ("score", short, *BUNDLE, "--out", tmp_path / "out", "--harmonize")
    refused(1, "short.tsv has no column 'site', but to harmonize with sites.npz", *score, sites)
    refused(1, "There is no file at", *score, tmp_path / "none.npz")
    assert not (tmp_path / "out").exists()


def test_a_bids_data_set_is_harmonized_by_its_participants(
    dtb_run: Run, rng: np.random.Generator, tmp_path: Path
) -> None:
    pytest.importorskip("bids", reason="pybids is not installed: the extra bids")
    sites = tmp_path / "sites.npz"
    reference = write_people(tmp_path / "reference", rng, 20)
    assert dtb_run("harmonize", reference, *BUNDLE, "--out", sites).code == 0
    root, out = tmp_path / "source", tmp_path / "out"
    lines = ["participant_id\tage\tsex\tsite"]
    for number, site in enumerate("AB"):
        folder = root / f"sub-{number}"
        folder.mkdir(parents=True)
        matrix = np.corrcoef(rng.standard_normal((150, 12)).T)
        np.save(folder / f"sub-{number}_connectome.npy", matrix)
        lines.append(f"sub-{number}\t30\tF\t{site}")
    words = ("bids", root, out, "participant", *BUNDLE, "--draws", "1", "--harmonize", sites)
    missing = dtb_run(*words, "--nprocs", "1")
    assert missing.code == 1
    assert "has no column 'site' and no 'age' and no 'sex', but to harmonize" in missing.err
    assert not out.exists()
    (root / "participants.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = dtb_run(*words, "--nprocs", "1", "--json")
    assert done.code == 0, done.err
    digest = json.loads(done.out)["harmonized_with"]
    record = json.loads((out / ".dtb-run" / "sub-0" / "record.json").read_text(encoding="utf-8"))
    assert record["about"]["settings"]["harmonization"] == digest
    group = ("bids", root, out, "group", *BUNDLE)
    assert "harmonized with a file of dtb-run harmonize" in dtb_run(*group).err
    assert dtb_run(*group, "--harmonize", sites).code == 0
