"""What settings say of files of regions: what they hold, and not where they lie."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from dtb_runtime.arm_settings import TrialSettings
from dtb_runtime.errors import ConnectomeError
from dtb_runtime.plan import Goal
from dtb_runtime.reading import Reading
from dtb_runtime.reading_digest import settings_of
from dtb_runtime.scoring import ScoreSettings


def test_files_are_told_by_what_they_hold(tmp_path: Path) -> None:
    atlas, labels = tmp_path / "atlas.nii.gz", tmp_path / "labels.tsv"
    atlas.write_bytes(b"regions")
    labels.write_bytes(b"names")
    reading = Reading(atlas=str(atlas), atlas_labels=str(labels), denoise="simple")
    expected = reading.to_json() | {
        "atlas": hashlib.sha256(b"regions").hexdigest(),
        "atlas_labels": hashlib.sha256(b"names").hexdigest(),
    }
    assert settings_of(reading) == expected
    trial = TrialSettings((Goal("reaction_time", 0.1),), (), ("personal",), reading=reading)
    for settings in (ScoreSettings(reading=reading), trial):
        document = settings.to_json()
        assert document["reading"] == expected
        assert str(tmp_path) not in json.dumps(document)
    atlas.write_bytes(b"other regions")
    assert settings_of(reading)["atlas"] == hashlib.sha256(b"other regions").hexdigest()


def test_without_files_the_fields_are_as_they_are() -> None:
    assert settings_of(Reading(timeseries=True)) == Reading(timeseries=True).to_json()


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConnectomeError, match="There is no file at"):
        settings_of(Reading(atlas=str(tmp_path / "none.nii.gz")))
