"""Fixtures of the command line's tests: the command itself, the tiny bundle, files to feed it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_cli.app import main

TINY = Path(__file__).parents[1] / "bundles" / "tiny"
SMALL_NETWORK = ("--personal-units", "4", "--latent-size", "4", "--device", "cpu")
"""Options of `train` for a network that is trained in some seconds."""
REGIONS_TABLE = """\
index,label,network,hemisphere,x,y,z
0,L_Vis1,VisCent,L,-10,-90,0
1,R_Vis1,VisCent,R,10,-90,0
2,L_Mot,SomMotA,L,-40,-20,50
3,R_Mot,SomMotA,R,40,-20,50
4,L_Def,DefaultB,L,-5,50,10
5,R_Def,DefaultB,R,5,50,10
6,lAMY-lh,,L,,,
7,lAMY-rh,,R,,,
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of the command left."""

    code: int
    out: str
    err: str


@pytest.fixture
def dtb_run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run `dtb-run` in this process: ``dtb_run("predict", path, "--json")``."""

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()  # what was printed before is not this run's
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forecasts of four draws of the latent: what they are of is tested elsewhere."""
    monkeypatch.setattr("dtb_runtime.forecast.DRAWS", 4)


@pytest.fixture
def tiny() -> Path:
    """Folder of the compact test bundle: 12 regions."""
    return TINY


@pytest.fixture
def series(rng: np.random.Generator) -> NDArray[np.float64]:
    """A resting series of the test bundle's 12 regions, shape (200, 12)."""
    return rng.standard_normal((200, 3)) @ rng.standard_normal((3, 12)) + rng.standard_normal(
        (200, 12)
    )


@pytest.fixture
def correlations(series: NDArray[np.float64]) -> NDArray[np.float64]:
    """Its correlations, shape (12, 12)."""
    return np.asarray(np.corrcoef(series.T))


@pytest.fixture
def connectome(correlations: NDArray[np.float64], tmp_path: Path) -> Path:
    """The correlations as a file."""
    path = tmp_path / "sub-01_connectome.npy"
    np.save(path, correlations)
    return path


@pytest.fixture
def regions(tmp_path: Path) -> Path:
    """A regions table of 8 regions, two of them the amygdalae."""
    path = tmp_path / "eight_regions.csv"
    path.write_text(REGIONS_TABLE, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _brief(brief_training: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    with brief_training():
        yield


@pytest.fixture(scope="session")
def small_network() -> tuple[str, ...]:
    """Options of `train` for a network of four personal units."""
    return SMALL_NETWORK


@pytest.fixture(scope="session")
def tcp_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a regions table and, in `bids`, six simulated people in the TCP layout."""
    folder = tmp_path_factory.mktemp("tcp")
    table = folder / "eight_regions.csv"
    table.write_text(REGIONS_TABLE, encoding="utf-8")
    arguments = ["simulate", "--regions", str(table), "--n", "6", "--tcp-layout"]
    assert main([*arguments, "--out", str(folder / "bids")]) == 0
    return folder


@pytest.fixture(scope="session")
def checkpoint(
    tmp_path_factory: pytest.TempPathFactory,
    brief_training: Callable[[], AbstractContextManager[None]],
) -> Path:
    """What one update of `dtb-run train` on six simulated people of eight regions wrote."""
    folder = tmp_path_factory.mktemp("trained")
    table = folder / "eight_regions.csv"
    table.write_text(REGIONS_TABLE, encoding="utf-8")
    arguments = ["train", "--simulate", "6", "--regions", str(table), *SMALL_NETWORK]
    with brief_training():
        assert main([*arguments, "--updates", "1", "--out", str(folder / "checkpoint")]) == 0
    return folder / "checkpoint"
