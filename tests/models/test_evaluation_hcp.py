"""Maps of made people with rest and activations: each figure against a computation of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtb_models.evaluation_hcp import HalfBundle, HcpBundles, evaluate_hcp
from dtb_models.evaluation_report import Facts
from dtb_models.hcp import HcpCohort
from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_loading import load_bundle
from dtb_runtime.errors import CohortError, UsageError

TINY = Path(__file__).parents[1] / "bundles" / "tiny"
FACTS = Facts({"kind": "real"}, "tiny", None, None, 0, ("Careful.",))
NAMES = tuple(f"sub-{i:02d}" for i in range(1, 7))


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("dtb_runtime.forecast.DRAWS", 2)
        yield


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(TINY, device="cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(2)
    folder = tmp_path_factory.mktemp("hcp")
    group = rng.standard_normal((12, 2))
    mixing = rng.standard_normal((4, 12))
    for name in NAMES:
        person = folder / name
        person.mkdir()
        own = mixing + 0.4 * rng.standard_normal((4, 12))
        series = rng.standard_normal((90, 4)) @ own + rng.standard_normal((90, 12))
        np.save(person / f"{name}_task-rest_atlas-X_timeseries.npy", series.astype(np.float32))
        betas = group + 0.5 * rng.standard_normal((12, 2))
        rows = "".join(f"{i}\t{face:.6f}\t{shape:.6f}\n" for i, (face, shape) in enumerate(betas))
        table = person / f"{name}_task-emotion_atlas-X_betas.tsv"
        table.write_text(f"region_index\tfaces\tshapes\n{rows}", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def cohort(folder: Path, bundle: Bundle) -> HcpCohort:
    return HcpCohort(folder, bundle.manifest.parcellation)


@pytest.fixture(scope="module")
def predicted(cohort: HcpCohort, bundle: Bundle) -> np.ndarray:
    sd = np.array(bundle.manifest.normalization.bold_sd)
    rows = []
    for person in cohort.participants:
        forecast = bundle.personalize(person.connectome).forecast("hammer")  # type: ignore[arg-type]
        rows.append(forecast.contrasts["face_shape"].estimate * sd)
    return np.stack(rows)


def test_each_map_is_compared_with_the_own_one(
    cohort: HcpCohort, bundle: Bundle, predicted: np.ndarray
) -> None:
    told: list[str | None] = []
    said: list[str] = []
    found = evaluate_hcp(
        cohort,
        HcpBundles(dict.fromkeys(NAMES, bundle), is_left_out=False),
        FACTS,
        on_person=lambda twin, _: told.append(twin.participant_id),
        on_progress=lambda done, total, _: said.append(f"{done}/{total}"),
    )
    assert told == list(NAMES)
    assert said[-1] == "6/6"
    assert found["warnings"] == ["Careful."]
    assert found["in_sample"] is None
    assert (found["protocol"], found["judged"]) == (None, {"hammer": 6})
    measured = cohort.face_shape_maps()
    own = [np.corrcoef(x, y)[0, 1] for x, y in zip(predicted, measured, strict=True)]
    others = [np.corrcoef(np.delete(measured, i, 0).mean(0), measured[i])[0, 1] for i in range(6)]
    maps = found["maps"]
    assert maps["people"]["twin_r"]["value"] == pytest.approx(np.mean(own))
    assert maps["people"]["rule/mean_of_others_r"]["value"] == pytest.approx(np.mean(others))
    assert maps["people"]["by_person"]["sub-03"]["twin_r"] == pytest.approx(own[2])
    r = np.corrcoef(predicted.mean(0), measured.mean(0))[0, 1]
    assert maps["group"]["all_r"] == pytest.approx(r)
    assert maps["group"]["bound"] == pytest.approx(np.sqrt(maps["group"]["reliability"]))
    assert maps["identification"]["maps"]["n_people"] == 6
    assert maps["leave_one_out"] is False


def test_everybody_left_out_is_judged_by_their_own_bundle(
    cohort: HcpCohort, bundle: Bundle, predicted: np.ndarray
) -> None:
    own: dict[str, Bundle] = {}
    for number, name in enumerate(NAMES):
        scale = replace(
            bundle.manifest.normalization,
            bold_sd=tuple(1.0 + ((k + number) % 5) for k in range(12)),
        )
        manifest = replace(bundle.manifest, normalization=scale)
        own[name] = replace(bundle, digest=f"{number:064d}", manifest=manifest)
    halves = (HalfBundle(own["sub-01"], NAMES[:3]),)
    said: list[str] = []
    found = evaluate_hcp(
        cohort,
        HcpBundles(own, is_left_out=True, halves=halves),
        FACTS,
        on_progress=lambda done, total, _: said.append(f"{done}/{total}"),
    )
    assert said[-1] == "36/36"
    sd = np.array(bundle.manifest.normalization.bold_sd)
    scales = np.array([own[name].manifest.normalization.bold_sd for name in NAMES])
    by_judge = (predicted / sd)[None] * scales[:, None]
    measured = cohort.face_shape_maps()
    r = [np.corrcoef(by_judge[i, i], measured[i])[0, 1] for i in range(6)]
    assert found["maps"]["people"]["twin_r"]["value"] == pytest.approx(np.mean(r))
    (half,) = found["maps"]["group"]["unseen_half_r"]
    expected = np.corrcoef(by_judge[0, :3].mean(0), measured[:3].mean(0))[0, 1]
    assert half["r"] == pytest.approx(expected)
    assert half["unseen"] == list(NAMES[:3])


def test_one_forecast_for_everybody_is_at_chance(cohort: HcpCohort, bundle: Bundle) -> None:
    class Nobody:
        """Makes the same twin of everybody."""

        def __getattr__(self, name: str) -> Any:
            return getattr(bundle, name)

        def personalize(self, connectome: Any, *, participant_id: str | None = None) -> Any:
            return bundle.population_twin(participant_id=participant_id)

    same: Any = dict.fromkeys(NAMES, Nobody())
    found = evaluate_hcp(cohort, HcpBundles(same, is_left_out=False), FACTS)["maps"]
    for each in found["identification"].values():
        assert (each["pairwise_rate"], each["pairwise_p"]) == (0.5, 1.0)
        assert (each["top_rate"], each["top_p"]) == (pytest.approx(1 / 6), 1.0)


def test_one_person_and_other_regions_are_refused(
    folder: Path, cohort: HcpCohort, bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "sub-01").symlink_to(folder / "sub-01")
    alone = HcpCohort(tmp_path, bundle.manifest.parcellation)
    bundles: Any = HcpBundles(dict.fromkeys(NAMES, bundle), is_left_out=False)
    with pytest.raises(CohortError, match="at least two people"):
        evaluate_hcp(alone, bundles, FACTS)
    plain = load_bundle(TINY.parent / "tiny_plain", device="cpu")
    mixed = HcpBundles({**bundles.own, "sub-02": plain}, is_left_out=False)
    with pytest.raises(UsageError, match="give the same regions as the others"):
        evaluate_hcp(cohort, mixed, FACTS)
