"""`dtb-run bundles` and `dtb-run inspect` say what is there and whether it holds."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtb_cli import bundles as commands
from dtb_export.contract import check_contract
from dtb_runtime import bundle_loading, load_bundle
from dtb_runtime.parcellation import read_regions_table

Run = Callable[..., Any]


@pytest.fixture
def shipped(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation that ships the tiny bundle and no other."""
    folder = tmp_path / "shipped"
    shutil.copytree(tiny, folder / "tiny")
    monkeypatch.setattr(bundle_loading, "SHIPPED_BUNDLES", folder)
    return folder


def test_bundles_lists_what_is_shipped(dtb_run: Run, shipped: Path) -> None:
    done = dtb_run("bundles", "--json")
    assert done.code == 0
    (found,) = json.loads(done.out)["bundles"]
    loaded = load_bundle(shipped / "tiny", device="cpu")
    assert found["name"] == "tiny"
    assert found["digest"] == loaded.digest
    assert found["regions"] == 12
    assert found["tasks"] == ["hammer", "stroop"]
    assert found["trained_on"] == "simulated"
    assert found["folder"] == str(shipped / "tiny")
    assert found["size"] == sum(path.stat().st_size for path in (shipped / "tiny").iterdir())
    assert found["warnings"] == list(loaded.warnings)
    table = dtb_run("bundles")
    assert table.out.splitlines()[1].split() == [
        *("tiny", "12", "hammer,", "stroop", "simulated"),
        f"{found['size'] / 1e6:.1f}",
    ]


def test_the_default_bundle_is_marked(
    dtb_run: Run, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_loading, "DEFAULT_BUNDLE", "tiny")
    assert "tiny (default)" in dtb_run("bundles").out
    assert json.loads(dtb_run("bundles", "--json").out)["bundles"][0]["default"] is True


def test_no_bundles_are_said(dtb_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_loading, "SHIPPED_BUNDLES", tmp_path)
    done = dtb_run("bundles")
    assert done.code == 0
    assert "No bundles came with this installation" in done.out
    assert json.loads(dtb_run("bundles", "--json").out) == {"bundles": []}


def test_inspect_gives_the_manifest_and_every_check(dtb_run: Run, tiny: Path) -> None:
    done = dtb_run("inspect", tiny, "--json")
    assert done.code == 0
    assert done.err == ""
    facts = json.loads(done.out)
    manifest = load_bundle(tiny, device="cpu").manifest
    assert facts["name"] == "tiny"
    assert facts["parcellation"] == "tiny12"
    assert (facts["regions"], facts["edges"], facts["latent_size"]) == (12, 66, 3)
    assert facts["weights"] == manifest.n_weights
    assert facts["action_reading"] == "hazard"
    assert facts["people"] == {"train": 40, "validation": 0, "test": 0}
    assert facts["measured"] == dict(manifest.measured)
    assert facts["files"] == {name: entry.size for name, entry in manifest.files.items()}
    assert facts["warnings"] == list(manifest.warnings)
    assert facts["checks"] == [*commands.RUNTIME_CHECKS, *check_contract(tiny)]


def test_inspect_prints_facts_checks_and_warnings(dtb_run: Run, tiny: Path) -> None:
    done = dtb_run("inspect", tiny)
    assert done.code == 0
    lines = [line.split(maxsplit=2) for line in done.out.splitlines()]
    assert ["latent", "size", "3"] in lines
    assert done.out.count("\nok  ") == len(commands.RUNTIME_CHECKS) + len(check_contract(tiny))
    assert f"Warning: {load_bundle(tiny, device='cpu').warnings[0]}" in done.out


def test_inspect_takes_a_shipped_name(dtb_run: Run, shipped: Path) -> None:
    assert shipped.is_dir()
    done = dtb_run("inspect", "tiny", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["checks"] == [
        *commands.RUNTIME_CHECKS,
        *check_contract(shipped / "tiny"),
    ]


def test_inspect_without_onnx_says_what_it_left_out(
    dtb_run: Run, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "find_spec", lambda name: None if name == "onnx" else sys)
    done = dtb_run("inspect", tiny, "--json")
    assert done.code == 0
    assert json.loads(done.out)["checks"] == list(commands.RUNTIME_CHECKS)
    assert "structure is checked where onnx is installed" in done.err
    assert "extra [torch]" in done.err


def test_inspect_of_a_damaged_bundle_fails(dtb_run: Run, shipped: Path) -> None:
    path = shipped / "tiny" / "main.onnx"
    path.write_bytes(path.read_bytes()[:-1])
    done = dtb_run("inspect", "tiny")
    assert done.code == 1
    assert done.out == ""
    assert "main.onnx" in done.err


def test_inspect_of_an_unknown_name_is_a_usage_error(dtb_run: Run, shipped: Path) -> None:
    assert shipped.is_dir()
    done = dtb_run("inspect", "tny")
    assert done.code == 2
    assert "Did you mean 'tiny'?" in done.err


def test_inspect_shows_the_model_card(dtb_run: Run, tiny: Path) -> None:
    done = dtb_run("inspect", tiny, "--card")
    assert done.code == 0, done.err
    assert done.out.strip() == (tiny / "MODEL_CARD.md").read_text(encoding="utf-8").strip()


def test_the_regions_listed_are_a_regions_table(dtb_run: Run, tiny: Path, tmp_path: Path) -> None:
    done = dtb_run("inspect", tiny, "--regions")
    assert done.code == 0, done.err
    table = tmp_path / "regions.csv"
    table.write_text(done.out, encoding="utf-8")
    read, known = read_regions_table(table), load_bundle(tiny, device="cpu").manifest.parcellation
    assert known is not None
    assert (read.labels, read.network) == (known.labels, known.network)
    assert (read.hemisphere, read.structures) == (known.hemisphere, known.structures)
    np.testing.assert_allclose(read.coordinates, known.coordinates)


def test_inspect_shows_one_thing(dtb_run: Run, tiny: Path) -> None:
    done = dtb_run("inspect", tiny, "--card", "--json")
    assert done.code == 2
    assert "--card, --regions and --json each show one thing" in done.err
