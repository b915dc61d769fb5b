"""Arrays read out of ONNX files without the onnx package: those that onnx itself reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dtb_runtime.errors import BundleError
from dtb_runtime.onnx_arrays import read_arrays

TINY = Path(__file__).parents[1] / "bundles"


def model_of(*tensors: TensorProto) -> bytes:
    graph = helper.make_graph([], "arrays", [], [], initializer=tensors)
    return bytes(helper.make_model(graph).SerializeToString())


@pytest.mark.parametrize("bundle", ["tiny", "tiny_plain"])
@pytest.mark.parametrize("file", ["hypernetwork.onnx", "main.onnx"])
def test_they_are_those_that_onnx_reads(bundle: str, file: str) -> None:
    path = TINY / bundle / file
    expected = onnx.load(path).graph.initializer
    found = read_arrays(path.read_bytes(), file)
    assert list(found) == [tensor.name for tensor in expected]
    for tensor in expected:
        array = numpy_helper.to_array(tensor)
        assert found[tensor.name].dtype == array.dtype
        np.testing.assert_array_equal(found[tensor.name], array)


def test_shapes_may_be_written_number_by_number() -> None:
    tensor = numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(2, 3), "a")
    data = tensor.SerializeToString()
    packed = b"\x08\x02\x08\x03"  # field 1, as two numbers
    assert data.startswith((packed, b"\x0a\x02\x02\x03"))
    other = data.replace(b"\x0a\x02\x02\x03", packed, 1)
    rest = other if other != data else data.replace(packed, b"\x0a\x02\x02\x03", 1)
    whole = model_of(tensor)
    at = whole.index(data)
    assert len(rest) == len(data)
    found = read_arrays(whole[:at] + rest + whole[at + len(data) :], "a.onnx")
    np.testing.assert_array_equal(found["a"], np.arange(6).reshape(2, 3))


def test_what_the_exporter_never_writes_is_refused() -> None:
    strings = helper.make_tensor("s", TensorProto.STRING, [1], [b"x"])
    with pytest.raises(BundleError, match="'s' has the unknown type 8"):
        read_arrays(model_of(strings), "a.onnx")
    listed = helper.make_tensor("f", TensorProto.FLOAT, [2], [1.0, 2.0])  # not as raw bytes
    with pytest.raises(BundleError, match="'f' does not hold as many numbers as its shape says"):
        read_arrays(model_of(listed), "a.onnx")
    with pytest.raises(BundleError, match="not a readable ONNX file"):
        read_arrays(b"\xff\xff", "a.onnx")
