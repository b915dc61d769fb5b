"""`dtb-run sign` and `dtb-run inspect --verify-key`: whose bundle it is, in one sentence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

if find_spec("model_signing") is None:  # installed and broken is a failure, not a skip
    pytest.skip("model-signing is not installed: the extra signing", allow_module_level=True)
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

Run = Callable[..., Any]


@pytest.fixture
def bundle(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the test bundle beside a pair of keys."""
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "private.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    (tmp_path / "public.pem").write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return Path(shutil.copytree(tiny, tmp_path / "bundle"))


def test_a_bundle_is_signed_verified_and_still_loads(dtb_run: Run, bundle: Path) -> None:
    private, public = (bundle.with_name(f"{name}.pem") for name in ("private", "public"))
    done = dtb_run("sign", bundle, "--key", private)
    assert done.code == 0, done.err
    assert done.out.startswith("Signed tiny, digest ")
    assert bundle.with_name("bundle.sig").is_file()
    done = dtb_run("inspect", bundle, "--verify-key", public)
    assert done.code == 0, done.err
    assert f"ok  signed by the owner of {public}" in done.out
    found = json.loads(dtb_run("inspect", bundle, "--verify-key", public, "--json").out)
    assert len(found["signed_with_key"]) == 64
    assert f"signed by the owner of {public}" in found["checks"]
    assert "signed" not in dtb_run("inspect", bundle).out


def test_the_signature_may_lie_elsewhere(dtb_run: Run, bundle: Path) -> None:
    private, public = (bundle.with_name(f"{name}.pem") for name in ("private", "public"))
    place = bundle.with_name("elsewhere.sig")
    done = dtb_run("sign", bundle, "--key", private, "--out", place, "--json")
    assert json.loads(done.out)["signature"] == str(place)
    done = dtb_run("inspect", bundle, "--verify-key", public)
    assert done.code == 1
    assert "There is no signature at" in done.err
    assert dtb_run("inspect", bundle, "--verify-key", public, "--signature", place).code == 0


def test_what_does_not_fit_is_one_sentence(dtb_run: Run, bundle: Path) -> None:
    private, public = (bundle.with_name(f"{name}.pem") for name in ("private", "public"))
    dtb_run("sign", bundle, "--key", private)
    other = bundle.with_name("other.pem")
    other.write_bytes(
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    for arguments, words in (
        (("--verify-key", other), "is not what the owner of"),
        (("--verify-key", private), "is no public key for this"),
        (("--verify-key", bundle), "is a folder"),
    ):
        done = dtb_run("inspect", bundle, *arguments)
        assert (done.code, done.out) == (1, "")
        assert words in done.err
        assert len(done.err.splitlines()) == 1
    (bundle / "MODEL_CARD.md").write_text("another")
    done = dtb_run("inspect", bundle, "--verify-key", public)
    assert done.code == 1
    assert "MODEL_CARD.md" in done.err


def test_a_signature_alone_is_wrong_usage(dtb_run: Run, bundle: Path) -> None:
    done = dtb_run("inspect", bundle, "--signature", "x.sig")
    assert done.code == 2
    assert "--signature is for --verify-key" in done.err
