"""The models that are served: named after their bundles, described by manifests alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dtb_runtime.bundle import Bundle
from dtb_runtime.errors import UsageError
from dtb_runtime.oip_models import served_models


def test_the_first_bundle_has_plain_names_too(tiny: Bundle, tiny_plain: Bundle) -> None:
    models = served_models([(each.manifest, each.digest) for each in (tiny, tiny_plain)])
    assert list(models) == [
        *("twin", "hypernetwork", "main"),
        *("tiny-twin", "tiny-hypernetwork", "tiny-main"),
        *("tiny_plain-twin", "tiny_plain-hypernetwork", "tiny_plain-main"),
    ]
    assert {name: model.name for name, model in models.items()} == {name: name for name in models}
    assert models["twin"].versions == models["tiny-twin"].versions == (tiny.digest[:12],)
    assert models["tiny_plain-main"].versions == (tiny_plain.digest[:12],)


def test_a_model_is_described_as_the_protocol_does(tiny: Bundle, tiny_plain: Bundle) -> None:
    models = served_models([(each.manifest, each.digest) for each in (tiny, tiny_plain)])
    assert models["hypernetwork"].metadata() == {
        "name": "hypernetwork",
        "versions": [tiny.digest[:12]],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "edges", "datatype": "FP32", "shape": [-1, 66]}],
        "outputs": [
            {"name": "latent", "datatype": "FP32", "shape": [-1, 3]},
            {"name": "weights", "datatype": "FP32", "shape": [-1, 287]},
        ],
    }
    assert [each.name for each in models["tiny_plain-hypernetwork"].outputs] == ["weights"]
    twin = models["twin"].metadata()
    assert twin["inputs"] == [
        {"name": "connectome", "datatype": "FP32", "shape": [-1, 12, 12]},
        {"name": "labels", "datatype": "BYTES", "shape": [12]},
        {"name": "task", "datatype": "BYTES", "shape": [1]},
    ]
    assert {"name": "bold", "datatype": "FP32", "shape": [-1, -1, 12]} in twin["outputs"]


def test_a_bundle_without_tasks_has_no_twin(tiny_plain: Bundle) -> None:
    manifest = replace(tiny_plain.manifest, tasks=())
    assert list(served_models([(manifest, "ab")])) == [
        *("hypernetwork", "main"),
        *("tiny_plain-hypernetwork", "tiny_plain-main"),
    ]


def test_there_must_be_bundles_and_each_once(tiny: Bundle) -> None:
    with pytest.raises(UsageError, match="two bundles 'tiny'"):
        served_models([(tiny.manifest, tiny.digest)] * 2)
    with pytest.raises(UsageError, match="no bundle to serve"):
        served_models([])
