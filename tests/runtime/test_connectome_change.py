"""Changes of connectomes: doses, kinds, and what is written down."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.connectome import Connectome
from dtb_runtime.connectome_change import (
    MOST_GAIN,
    ConnectomeChange,
    membership,
    network_names,
)
from dtb_runtime.errors import PlanError
from dtb_runtime.json_object import JsonObject
from dtb_runtime.parcellation import Parcellation

Floats = NDArray[np.float64]
People = Callable[[int], Floats]


@pytest.fixture
def parcellation(tiny: Bundle) -> Parcellation:
    assert tiny.manifest.parcellation is not None
    return tiny.manifest.parcellation


@pytest.fixture
def original(people: People) -> Floats:
    return Connectome.from_matrix(people(2)).correlations.astype(np.float64)


def change_of(kind: str, *places: tuple[tuple[int, ...], float]) -> ConnectomeChange:
    return ConnectomeChange(
        kind,  # type: ignore[arg-type]
        np.array([place for place, _ in places], np.int64),
        np.array([size for _, size in places]),
    )


CHANGES = {
    "edges": change_of("edges", ((0, 3), 0.2), ((1, 4), -0.1)),
    "regions": change_of("regions", ((2,), -0.3), ((7,), 0.1)),
    "networks": change_of("networks", ((0, 2), 0.1), ((1, 1), -0.2)),
}


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("dose", [0.0, 0.5, 2.0])
def test_a_dose_does_what_it_says(
    parcellation: Parcellation, original: Floats, kind: str, dose: float
) -> None:
    changed = CHANGES[kind].apply(original, parcellation, dose)
    np.testing.assert_array_equal(changed, changed.T)
    np.testing.assert_array_equal(np.diag(changed), 1.0)
    if kind == "regions":
        gain = np.ones(len(original))
        gain[2], gain[7] = np.exp(-0.3 * dose), np.exp(0.1 * dose)
        expected = original * gain[:, None] * gain
    else:
        z = np.arctanh(np.where(np.eye(len(original)), 0.0, original))
        member = membership(parcellation)
        for (i, j), size in zip(CHANGES[kind].places, CHANGES[kind].sizes, strict=True):
            for a in range(len(z)):
                for b in range(len(z)):
                    ends = (a, b) if kind == "edges" else (member[a], member[b])
                    if ends in ((i, j), (j, i)):
                        z[a, b] += dose * size
        expected = np.tanh(z)
    np.fill_diagonal(expected, 1.0)
    np.testing.assert_allclose(changed, expected, atol=1e-12)


@pytest.mark.parametrize("kind", CHANGES)
def test_it_survives_json(parcellation: Parcellation, kind: str) -> None:
    written = json.loads(json.dumps(CHANGES[kind].to_json(parcellation)))
    found = ConnectomeChange.from_json(JsonObject(written, "plan", PlanError), parcellation)
    assert found.kind == kind
    np.testing.assert_array_equal(found.places, CHANGES[kind].places)
    np.testing.assert_allclose(found.sizes, CHANGES[kind].sizes, rtol=1e-6)


def test_a_change_of_all_edges_names_none(parcellation: Parcellation) -> None:
    rows, columns = np.triu_indices(len(parcellation.labels), 1)
    places = np.stack([rows, columns], axis=1).astype(np.int64)
    whole = ConnectomeChange("edges", places, np.linspace(-0.1, 0.1, len(rows)))
    written = whole.to_json(parcellation)
    assert written["of"] == "all"
    found = ConnectomeChange.from_json(JsonObject(written, "plan", PlanError), parcellation)
    np.testing.assert_array_equal(found.places, places)


def test_networks_are_named_once(parcellation: Parcellation) -> None:
    names = network_names(parcellation)
    assert list(names) == sorted(set(parcellation.network))
    assert [names[i] for i in membership(parcellation)] == list(parcellation.network)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"kind": "regions", "of": [["nowhere"]], "sizes": [1.0]}, "there is no region 'nowhere'"),
        ({"kind": "networks", "of": [["x", "y"]], "sizes": [1.0]}, "there is no network 'x'"),
        ({"kind": "edges", "of": [["L_Vis1"]], "sizes": [1.0]}, "entry 1 must hold 2 names"),
        ({"kind": "edges", "of": [], "sizes": []}, "expected a list of what is changed"),
        (
            {"kind": "edges", "of": [["L_Vis1", "L_Vis1"]], "sizes": [1.0]},
            "goes from a region to itself",
        ),
        (
            {"kind": "edges", "of": [["L_Vis1", "L_Vis2"], ["L_Vis2", "L_Vis1"]], "sizes": [1, 2]},
            "named twice",
        ),
        ({"kind": "regions", "of": [["L_Vis1"]], "sizes": [1.0, 2.0]}, "1 places have 2 sizes"),
        ({"kind": "lobes", "of": [], "sizes": []}, "kind: expected"),
    ],
)
def test_what_is_no_change_is_refused(
    parcellation: Parcellation, document: dict[str, object], message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        ConnectomeChange.from_json(JsonObject(document, "plan", PlanError), parcellation)


def test_no_dose_of_a_region_overflows(parcellation: Parcellation, original: Floats) -> None:
    change = change_of("regions", ((0,), 2.0), ((2,), -2.0))
    found = change.apply(original, parcellation, 1e6)
    assert np.isfinite(found).all()
    assert found[0, 1] == pytest.approx(original[0, 1] * MOST_GAIN)
    assert found[2, 1] == pytest.approx(original[2, 1] / MOST_GAIN)
    assert found[0, 2] == pytest.approx(original[0, 2])


def test_a_pair_of_networks_stands_once_whichever_way_round(parcellation: Parcellation) -> None:
    one, other = network_names(parcellation)[:2]
    document = {"kind": "networks", "of": [[one, other], [other, one]], "sizes": [0.1, 0.2]}
    parsed = JsonObject.parse(json.dumps(document), "plan", PlanError)
    with pytest.raises(PlanError, match="something is named twice"):
        ConnectomeChange.from_json(parsed, parcellation)
