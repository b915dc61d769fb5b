"""Signed bundles: what the owner of a key signed is known again, and nothing else is."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from dtb_runtime import bundle_signature
from dtb_runtime.bundle_files import read_manifest
from dtb_runtime.bundle_signature import sign_bundle, signature_path, verify_bundle
from dtb_runtime.errors import BundleError, MissingDependencyError, OutputError

if find_spec("model_signing") is None:  # installed and broken is a failure, not a skip
    pytest.skip("model-signing is not installed: the extra signing", allow_module_level=True)
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

ReplaceFile = Callable[[Path, str, bytes], None]
PLAIN = serialization.NoEncryption()


def write_key(path: Path, key: Any, encryption: Any = PLAIN) -> Path:
    """Write a private key as openssl does."""
    kind = serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, kind, encryption))
    return path


def write_public(path: Path, key: Any) -> Path:
    """Write the public part of a key."""
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    path.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, kind))
    return path


@pytest.fixture
def private(tmp_path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    write_public(tmp_path / "public.pem", key)
    return write_key(tmp_path / "private.pem", key)


@pytest.fixture
def public(private: Path) -> Path:
    return private.with_name("public.pem")


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return write_public(tmp_path / "other.pem", ec.generate_private_key(ec.SECP256R1()))


def digest_of(folder: Path) -> str:
    return read_manifest(folder)[1]


def test_a_signed_bundle_is_known_again(tiny_copy: Path, private: Path, public: Path) -> None:
    signature = sign_bundle(tiny_copy, private)
    assert signature == signature_path(tiny_copy) == tiny_copy.with_name("tiny.sig")
    fingerprint = verify_bundle(tiny_copy, digest_of(tiny_copy), public)
    assert len(fingerprint) == 64
    moved = tiny_copy.rename(tiny_copy.with_name("renamed"))
    assert verify_bundle(moved, digest_of(moved), public, signature) == fingerprint


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()])
def test_other_curves_of_the_format_work(
    tiny_copy: Path, tmp_path: Path, curve: ec.EllipticCurve
) -> None:
    key = ec.generate_private_key(curve)
    sign_bundle(tiny_copy, write_key(tmp_path / "k.pem", key))
    public = write_public(tmp_path / "p.pem", key)
    expected = hashlib.sha256(public.read_bytes()).hexdigest()
    assert verify_bundle(tiny_copy, digest_of(tiny_copy), public) == expected
    other = write_public(tmp_path / "o.pem", ec.generate_private_key(curve))
    with pytest.raises(BundleError, match="Key mismatch"):
        verify_bundle(tiny_copy, digest_of(tiny_copy), other)


def test_the_tools_own_command_verifies_it(tiny_copy: Path, private: Path, public: Path) -> None:
    signature = sign_bundle(tiny_copy, private)
    command = [sys.executable, "-m", "model_signing", "verify", "key", str(tiny_copy)]
    options = ["--signature", str(signature), "--public_key", str(public)]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_another_key_is_refused(tiny_copy: Path, private: Path, other: Path) -> None:
    sign_bundle(tiny_copy, private)
    with pytest.raises(BundleError, match=r"not what the owner of .*other\.pem signed.*Key mism"):
        verify_bundle(tiny_copy, digest_of(tiny_copy), other)


@pytest.mark.parametrize("name", ["MODEL_CARD.md", "norms.npz"])
def test_a_change_with_right_digests_is_noticed(
    tiny_copy: Path, private: Path, public: Path, replace_file: ReplaceFile, name: str
) -> None:
    """As somebody does it who can write digests: this is what signatures are for."""
    sign_bundle(tiny_copy, private)
    content = (tiny_copy / name).read_bytes()
    replace_file(tiny_copy, name, content + b" ")
    with pytest.raises(BundleError, match=r"does not fit \(Signature mismatch: .*Hash mismatch"):
        verify_bundle(tiny_copy, digest_of(tiny_copy), public)


def test_a_file_that_is_put_beside_is_noticed(tiny_copy: Path, private: Path, public: Path) -> None:
    sign_bundle(tiny_copy, private)
    (tiny_copy / ".gitignore").write_text("*")
    with pytest.raises(BundleError, match=r"Extra files.*\.gitignore"):
        verify_bundle(tiny_copy, digest_of(tiny_copy), public)


def test_the_bundle_that_was_read_must_be_the_one_that_was_signed(
    tiny_copy: Path, private: Path, public: Path
) -> None:
    sign_bundle(tiny_copy, private)
    with pytest.raises(BundleError, match=r"it is of another manifest\.json"):
        verify_bundle(tiny_copy, "0" * 64, public)


def test_a_signature_that_changes_after_it_was_read_is_not_taken(
    tiny_copy: Path, private: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it says and what is verified are the same bytes."""
    signature = sign_bundle(tiny_copy, private)
    good = signature.read_bytes()
    document = json.loads(good)
    statement = json.loads(base64.b64decode(document["dsseEnvelope"]["payload"]))
    for resource in statement["predicate"]["resources"]:
        resource["digest"] = "e" * 64
    payload = base64.b64encode(json.dumps(statement).encode()).decode()
    document["dsseEnvelope"]["payload"] = payload
    signature.write_text(json.dumps(document), encoding="utf-8")
    read = bundle_signature._read

    def read_then_swap(path: Path, place: str) -> tuple[str, str, bytes]:
        found = read(path, place)
        path.write_bytes(good)
        return found

    monkeypatch.setattr(bundle_signature, "_read", read_then_swap)
    with pytest.raises(BundleError, match="is not what the owner of"):
        verify_bundle(tiny_copy, "e" * 64, public)


def test_a_damaged_signature_is_refused(tiny_copy: Path, private: Path, public: Path) -> None:
    signature = sign_bundle(tiny_copy, private)
    whole = signature.read_bytes()
    document = json.loads(whole)
    payload = json.loads(base64.b64decode(document["dsseEnvelope"]["payload"]))
    payload["predicate"]["resources"][0]["name"] = "x"
    forged = json.loads(whole)
    forged["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
    unsigned = json.loads(whole)
    unsigned["dsseEnvelope"]["signatures"] = []
    contents = [whole[:end] for end in range(0, len(whole) - 1, 97)]
    contents += [json.dumps(each).encode() for each in (forged, unsigned, {}, [], 1, "x")]
    contents += [b"\xff\xfe", b"[" * 100_000]
    for content in contents:
        signature.write_bytes(content)
        with pytest.raises(BundleError, match=r"is no signature of a bundle|does not fit"):
            verify_bundle(tiny_copy, digest_of(tiny_copy), public)
    signature.write_bytes(bytes(2**20 + 1))
    with pytest.raises(BundleError, match="is larger than the 1048576 bytes"):
        verify_bundle(tiny_copy, digest_of(tiny_copy), public)


def test_a_missing_signature_is_said(tiny_copy: Path, public: Path) -> None:
    with pytest.raises(BundleError, match=r"There is no signature at .*tiny\.sig, so nothing says"):
        verify_bundle(tiny_copy, digest_of(tiny_copy), public)


def test_what_is_no_such_key_is_refused(tiny_copy: Path, private: Path, public: Path) -> None:
    folder = private.parent
    small = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    curve = ec.generate_private_key(ec.SECP256K1())
    locked = serialization.BestAvailableEncryption(b"secret")
    text = folder / "text.pem"
    text.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    for key in (
        write_key(folder / "rsa.pem", small),
        write_key(folder / "k1.pem", curve),
        write_key(folder / "locked.pem", ec.generate_private_key(ec.SECP256R1()), locked),
        text,
        public,
    ):
        with pytest.raises(BundleError, match=r"is no private key for this: expected one of the"):
            sign_bundle(tiny_copy, key)
    assert not signature_path(tiny_copy).exists()
    sign_bundle(tiny_copy, private)
    for key in (private, text, write_public(folder / "rsa_public.pem", small)):
        with pytest.raises(BundleError, match=r"is no public key for this: expected one of the"):
            verify_bundle(tiny_copy, digest_of(tiny_copy), key)
    with pytest.raises(BundleError, match="There is no file at"):
        verify_bundle(tiny_copy, digest_of(tiny_copy), folder / "none.pem")
    with pytest.raises(BundleError, match="is a folder"):
        sign_bundle(tiny_copy, folder, force=True)


def test_a_signature_is_never_overwritten(tiny_copy: Path, private: Path) -> None:
    signature = sign_bundle(tiny_copy, private)
    with pytest.raises(OutputError, match="exists already"):
        sign_bundle(tiny_copy, private)
    assert sign_bundle(tiny_copy, private, force=True) == signature


def test_a_damaged_bundle_is_not_signed(tiny_copy: Path, private: Path) -> None:
    (tiny_copy / "norms.npz").write_bytes(b"")
    with pytest.raises(BundleError, match=r"norms\.npz should be"):
        sign_bundle(tiny_copy, private)
    assert not signature_path(tiny_copy).exists()


def test_a_missing_package_is_named(
    tiny_copy: Path, private: Path, public: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "model_signing", None)
    for call in (
        lambda: sign_bundle(tiny_copy, private),
        lambda: verify_bundle(tiny_copy, "", public),
    ):
        with pytest.raises(MissingDependencyError, match=r"pip install 'dtb-runtime\[signing\]'"):
            call()


def test_nothing_is_sent(tiny_copy: Path, private: Path, public: Path) -> None:
    """In a process whose sockets reach nobody; libraries may ask whether there is IPv6."""
    code = """
import socket, sys
from pathlib import Path

class Deaf(socket.socket):
    def connect(self, *_): raise AssertionError("a connection")
    sendto = sendmsg = connect_ex = connect

def no_names(*_, **__): raise AssertionError("a look-up")

socket.socket, socket.getaddrinfo = Deaf, no_names
from dtb_runtime.bundle_files import read_manifest
from dtb_runtime.bundle_signature import sign_bundle, verify_bundle
folder, private, public = map(Path, sys.argv[1:])
sign_bundle(folder, private)
print(verify_bundle(folder, read_manifest(folder)[1], public))
"""
    command = [sys.executable, "-c", code, str(tiny_copy), str(private), str(public)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.strip()) == 64
