"""Scanning ONNX bytes: what a bundle must not hold is refused before anything runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtb_runtime.errors import BundleError
from dtb_runtime.onnx_scan import ALLOWED_OPERATORS, MAX_DEPTH, scan_onnx

FILE = "main.onnx"


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    """One protobuf field: a number or a length-delimited value."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def model(*nodes: bytes, graph: bytes = b"", extra: bytes = b"", domain: bytes = b"") -> bytes:
    """A model of some nodes; field numbers are those of onnx.proto."""
    opset = field(1, domain) + field(2, 17)
    body = b"".join(field(1, node) for node in nodes) + graph
    return field(1, 8) + field(8, opset) + field(7, body) + extra


def node(operator: bytes = b"Tanh", *, domain: bytes = b"", attribute: bytes = b"") -> bytes:
    parts = field(1, b"x") + field(2, b"y") + field(4, operator)
    if domain:
        parts += field(7, domain)
    return parts + (field(5, attribute) if attribute else b"")


def tensor(extra: bytes = b"") -> bytes:
    return field(1, 2) + field(2, 1) + field(8, b"t") + field(9, b"\0" * 8) + extra


@pytest.mark.parametrize("bundle", ["tiny", "tiny_plain"])
@pytest.mark.parametrize("file", ["hypernetwork.onnx", "decoder.onnx", "main.onnx"])
def test_what_the_exporter_writes_passes(tiny_folder: Path, bundle: str, file: str) -> None:
    path = tiny_folder.parent / bundle / file
    if bundle == "tiny_plain" and file == "decoder.onnx":
        assert not path.exists()
        return
    content = scan_onnx(path.read_bytes(), file)
    assert content.operators <= ALLOWED_OPERATORS
    assert content.opset == 17
    if file == "main.onnx":
        # Those of the body of the Scan are counted too.
        assert {"Scan", "Tanh", "Identity", "Reciprocal"} <= content.operators


def test_it_agrees_with_the_onnx_package(tiny_folder: Path) -> None:
    onnx = pytest.importorskip("onnx")
    path = tiny_folder / "main.onnx"
    operators, n_nodes = set(), 0
    graphs = [onnx.load(path).graph]
    while graphs:
        for item in graphs.pop().node:
            operators.add(item.op_type)
            n_nodes += 1
            graphs += [a.g for a in item.attribute if a.type == onnx.AttributeProto.GRAPH]
    content = scan_onnx(path.read_bytes(), FILE)
    assert set(content.operators) == operators
    assert content.n_nodes == n_nodes


def test_a_model_of_allowed_parts_passes() -> None:
    content = scan_onnx(model(node(), node(b"Mul", domain=b"ai.onnx")), FILE)
    assert content.operators == {"Tanh", "Mul"}
    assert content.n_nodes == 2


@pytest.mark.parametrize("operator", [b"Loop", b"If", b"tanh", b"", b"RandomNormal", b"\xff\xfe"])
def test_an_unknown_operator_is_named(operator: bytes) -> None:
    shown = operator.decode("utf-8", "replace")
    with pytest.raises(BundleError, match=f"{FILE} uses the operator '{shown}'"):
        scan_onnx(model(node(), node(operator)), FILE)


def test_an_operator_inside_a_subgraph_is_found() -> None:
    body = field(1, node(b"PyOp"))
    with pytest.raises(BundleError, match="uses the operator 'PyOp'"):
        scan_onnx(model(node(b"Scan", attribute=field(1, b"body") + field(6, body))), FILE)
    with pytest.raises(BundleError, match="uses the operator 'PyOp'"):
        scan_onnx(model(node(b"Scan", attribute=field(1, b"bodies") + field(11, body))), FILE)


def test_the_later_of_two_names_counts_too() -> None:
    """Protobuf keeps the last value of a field that stands twice."""
    with pytest.raises(BundleError, match="uses the operator 'Loop'"):
        scan_onnx(model(node() + field(4, b"Loop")), FILE)


@pytest.mark.parametrize("domain", [b"com.microsoft", b"ai.onnx.ml", b"ai.onnx.preview.training"])
def test_another_domain_is_refused(domain: bytes) -> None:
    message = f"uses operators of the domain '{domain.decode()}'"
    with pytest.raises(BundleError, match=message):
        scan_onnx(model(node(domain=domain)), FILE)
    with pytest.raises(BundleError, match=message):
        scan_onnx(model(node(), domain=domain), FILE)


@pytest.mark.parametrize(
    "extra",
    [
        field(14, 1),
        field(13, field(1, b"location") + field(2, b"/etc/passwd")),
        field(14, 0) + field(14, 1),
    ],
)
def test_external_data_is_refused_wherever_a_tensor_stands(extra: bytes) -> None:
    bad = tensor(extra)
    places = [
        model(node(), graph=field(5, bad)),
        model(node(attribute=field(1, b"value") + field(5, bad))),
        model(node(attribute=field(1, b"values") + field(10, bad))),
    ]
    for data in places:
        with pytest.raises(BundleError, match="external data"):
            scan_onnx(data, FILE)


def test_external_data_as_the_onnx_package_writes_it_is_refused(
    tiny_folder: Path, tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx")
    proto = onnx.load(tiny_folder / "hypernetwork.onnx")
    onnx.save(
        proto, tmp_path / FILE, save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    with pytest.raises(BundleError, match=f"{FILE} keeps tensor data in another file"):
        scan_onnx((tmp_path / FILE).read_bytes(), FILE)


def test_a_tensor_inside_the_file_passes() -> None:
    inside = model(node(), graph=field(5, tensor(field(14, 0))))
    elsewhere = model(node(), graph=field(5, tensor(field(14, 1))))
    scan_onnx(inside, FILE)
    with pytest.raises(BundleError, match="another file"):
        scan_onnx(elsewhere, FILE)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (model(node(), extra=field(25, b"")), "defines functions of its own"),
        (model(node(), extra=field(20, b"")), "training information"),
        (model(node(), extra=field(99, 1)), "unknown model field 99"),
        (model(node() + field(8, b"overload")), "overloads an operator"),
        (model(node(), graph=field(15, b"")), "sparse initializers"),
        (model(node(attribute=field(22, b""))), "sparse tensors"),
        (model(node(), graph=field(5, tensor(field(6, b"text")))), "unknown tensor field 6"),
    ],
)
def test_fields_that_no_bundle_needs_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        scan_onnx(data, FILE)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no graph or no operator set"),
        (field(8, field(2, 17)), "no graph or no operator set"),
        (field(7, b""), "no graph or no operator set"),
        (b"\x0a", "ends in the middle of a number"),
        (b"\x0a\x05ab", "ends in the middle of a field"),
        (b"\x09\x00", "ends in the middle of a field"),
        (b"\x80" * 11, "longer than 10 bytes"),
        (b"\x0b", "wire type 3"),
        (b"\x00\x00", "field number 0"),
        (field(7, 1), "field graph has wire type 0"),
        (model(node() + field(4, 7)), "field op_type has wire type 0"),
        (model(node(), graph=field(5, tensor(field(14, b"")))), "data_location has wire type 2"),
        (b"PK\x03\x04 a zip file", "not a readable ONNX file|unknown model field"),
    ],
)
def test_what_is_no_onnx_file_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(BundleError, match=message):
        scan_onnx(data, FILE)


def test_nesting_is_bounded() -> None:
    deep = node()
    for _ in range(MAX_DEPTH):
        deep = node(b"Scan", attribute=field(6, field(1, deep)))
    with pytest.raises(BundleError, match=f"nests more than {MAX_DEPTH} deep"):
        scan_onnx(model(deep), FILE)


def test_the_number_of_fields_is_bounded() -> None:
    with pytest.raises(BundleError, match="holds more than 200000 fields"):
        scan_onnx(model(node(), graph=field(2, b"") * 200_001), FILE)


def test_any_cut_or_changed_byte_ends_in_a_sentence_or_passes(tiny_folder: Path) -> None:
    """Digests stand before the scan; this is about never failing in another way."""
    data = (tiny_folder / "main.onnx").read_bytes()
    for at in range(len(data)):
        for damaged in (data[:at], bytes((*data[:at], data[at] ^ 0x80, *data[at + 1 :]))):
            try:
                scan_onnx(damaged, FILE)
            except BundleError as error:
                assert FILE in str(error)
