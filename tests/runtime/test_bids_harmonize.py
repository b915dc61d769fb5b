"""The BIDS App with site effects taken off: as scoring takes them off, and told apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dtb_runtime.bids_cohort import BidsSelection, list_bids
from dtb_runtime.bids_group import run_group
from dtb_runtime.bids_run import ParticipantRun, run_participants
from dtb_runtime.bids_scoring import BidsScorer, BidsSettings
from dtb_runtime.bundle import Bundle
from dtb_runtime.errors import CohortError
from dtb_runtime.harmonization_file import HarmonizationFile, write_harmonization
from dtb_runtime.scoring import ScoreSettings

from .bids_trees import giga_connectome, put_participants
from .made_site_effects import AGE, made_site_effects

pytest.importorskip("bids", reason="pybids is not installed: the extra bids")

N_EDGES = 66
TINY = BidsSelection(parcellation="tiny12", columns=("site", "age"))
DRAWS = 2


@pytest.fixture
def sites(tiny: Bundle, tmp_path: Path, rng: np.random.Generator) -> HarmonizationFile:
    return HarmonizationFile.of(
        write_harmonization(tmp_path / "sites.npz", made_site_effects(tiny, rng, AGE))
    )


@pytest.fixture
def source(tmp_path: Path, tiny: Bundle) -> Path:
    """Two people of known sites, and one of another."""
    assert tiny.manifest.parcellation is not None
    root = giga_connectome(tmp_path / "source", tiny.manifest.parcellation.labels)
    put_sites(root, "A", "B", "C")
    return root


def put_sites(root: Path, *sites: str) -> None:
    """Write the table of participants."""
    rows = [[f"sub-0{n}", f"{30 + n}", "F", site] for n, site in enumerate(sites, start=1)]
    put_participants(root, [["participant_id", "age", "sex", "Site"], *rows])


def run(
    tiny: Bundle, source: Path, out: Path, sites: HarmonizationFile | None = None
) -> ParticipantRun:
    """Run the participant level."""
    settings = BidsSettings.of(tiny, out, source, draws=DRAWS, harmonization=sites)
    return run_participants(tiny, list_bids(source, TINY), out, settings)


def test_forecasts_are_those_of_harmonized_scoring(
    tiny: Bundle, source: Path, sites: HarmonizationFile, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = run(tiny, source, out, sites)
    assert (done.n_people, done.n_failed) == (3, 1)
    crash = (out / "logs" / "sub-03_crash.txt").read_text(encoding="utf-8")
    assert crash.startswith("Site 'C' is not one of those that sites.npz knows ('A', 'B').")
    group = run_group(tiny, list_bids(source, TINY), out, TINY, harmonization=sites)
    assert (group.n_ok, group.n_changed) == (2, 0)
    entries = list_bids(source, TINY).listing.entries
    theirs = list(tiny.score(entries, ScoreSettings(draws=DRAWS, harmonization=sites)))
    plain = list(tiny.score(entries, ScoreSettings(draws=DRAWS)))
    table = pd.read_csv(out / "group_twins.tsv", sep="\t").set_index("participant_id")
    assert "Site" not in table.columns
    for expected, without in zip(theirs[:2], plain[:2], strict=True):
        row = table.loc[expected.participant_id]
        for name in ("reaction_time", "accuracy", "mean_r", "strangeness_distance"):
            assert row[name] == pytest.approx(expected.values[name], rel=1e-5)
        assert row["mean_r"] != pytest.approx(without.values["mean_r"], rel=1e-3)
        assert "Harmonized with sites.npz from site" in row["notes"]
    summary = json.loads((out / "group_summary.json").read_text(encoding="utf-8"))
    assert summary["settings"]["harmonization"] == sites.digest
    own = json.loads(next((out / "sub-01").rglob("*_summary.json")).read_text(encoding="utf-8"))
    assert own["connectome"]["taken_for"].endswith(", harmonized")
    header = (out / "participants.tsv").read_text(encoding="utf-8").splitlines()[0]
    assert header == "participant_id\tage\tsex"


def test_who_has_another_site_is_done_again(
    tiny: Bundle, source: Path, sites: HarmonizationFile, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run(tiny, source, out, sites)
    put_sites(source, "A", "A", "B")
    again = run(tiny, source, out, sites)
    assert (again.n_before, again.n_failed) == (1, 0)
    group = run_group(tiny, list_bids(source, TINY), out, TINY, harmonization=sites)
    assert (group.n_ok, group.n_changed) == (3, 0)


def test_the_group_needs_the_same_file(
    tiny: Bundle, source: Path, sites: HarmonizationFile, tmp_path: Path
) -> None:
    cohort = list_bids(source, TINY)
    run(tiny, source, tmp_path / "out", sites)
    with pytest.raises(CohortError, match=r"harmonized with a file of dtb-run harmonize \(SHA-256"):
        run_group(tiny, cohort, tmp_path / "out", TINY)
    other = HarmonizationFile(sites.path, "0" * 64)
    with pytest.raises(CohortError, match=r"harmonized with another file than this one"):
        run_group(tiny, cohort, tmp_path / "out", TINY, harmonization=other)
    run(tiny, source, tmp_path / "plain")
    with pytest.raises(CohortError, match=r"were not harmonized. Leave out --harmonize"):
        run_group(tiny, cohort, tmp_path / "plain", TINY, harmonization=sites)


def test_what_is_not_harmonized_has_the_settings_of_before(
    tiny: Bundle, source: Path, tmp_path: Path
) -> None:
    settings = BidsSettings.of(tiny, tmp_path / "out", source, draws=DRAWS)
    assert settings.to_json().keys() == {"draws", "reading"}  # so that nobody is done again


def test_a_file_that_changes_on_the_way_is_refused(
    tiny: Bundle, source: Path, sites: HarmonizationFile, tmp_path: Path
) -> None:
    settings = BidsSettings.of(tiny, tmp_path / "out", source, draws=DRAWS, harmonization=sites)
    Path(sites.path).write_bytes(b"another")
    with pytest.raises(CohortError, match=r"is another file than when this began"):
        BidsScorer(tiny, settings)
