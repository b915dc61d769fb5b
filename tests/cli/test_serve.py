"""`dtb-run serve`: what it refuses to begin with, HTTPS with tokens, and how it ends."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
TOKEN = "0123456789abcdef"


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(TOKEN, encoding="ascii")
    path.chmod(0o600)
    return path


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that nobody has signed but itself, and its key."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    own, secret = tmp_path / "cert.pem", tmp_path / "key.pem"
    own.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return own, secret


def test_strangers_are_kept_out_unless_one_says_otherwise(dtb_run: Run, tiny: Path) -> None:
    done = dtb_run("serve", "--bundle", tiny, "--host", "0.0.0.0")
    assert (done.code, done.out) == (2, "")
    assert "On 0.0.0.0 anybody on the network could ask. Give --token-file" in done.err


def test_a_token_file_that_others_may_read_is_refused(
    dtb_run: Run, tiny: Path, token_file: Path
) -> None:
    if os.name != "posix":
        pytest.skip("file modes are a POSIX matter")
    token_file.chmod(0o644)
    done = dtb_run("serve", "--bundle", tiny, "--token-file", token_file)
    assert (done.code, done.out) == (1, "")
    assert "tokens can be read or written by others (mode 0644)" in done.err


def test_https_needs_both_files(dtb_run: Run, tiny: Path, tmp_path: Path) -> None:
    done = dtb_run("serve", "--bundle", tiny, "--tls-cert", tmp_path / "cert.pem")
    assert done.code == 2
    assert "Give --tls-cert and --tls-key" in done.err


@pytest.mark.parametrize("text", [None, "", "no certificate\n"])
def test_https_needs_good_files(text: str | None, dtb_run: Run, tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "both.pem"
    if text is not None:
        path.write_text(text, encoding="ascii")
    done = dtb_run("serve", "--bundle", tiny, "--tls-cert", path, "--tls-key", path)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "HTTPS cannot be served with both.pem and both.pem: " in done.err


def test_a_key_with_a_password_is_refused_without_asking_for_it(
    dtb_run: Run, tiny: Path, certificate: tuple[Path, Path]
) -> None:
    from cryptography.hazmat.primitives import serialization

    own, secret = certificate
    key = serialization.load_pem_private_key(secret.read_bytes(), None)
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"password"),
        )
    )
    done = dtb_run("serve", "--bundle", tiny, "--tls-cert", own, "--tls-key", secret)
    assert done.code == 1
    assert "its key without a password" in done.err


def test_an_address_that_is_taken_is_said(dtb_run: Run, tiny: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = dtb_run("serve", "--bundle", tiny, "--port", port)
    assert done.code == 2
    assert f"cannot listen on 127.0.0.1, port {port}: " in done.err
    assert "Give another --host or --port." in done.err


def test_an_address_of_another_machine_is_said(dtb_run: Run, tiny: Path) -> None:
    done = dtb_run("serve", "--bundle", tiny, "--host", "192.0.2.1", "--insecure")
    assert done.code == 2
    assert "cannot listen on 192.0.2.1, port 8080: " in done.err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--bundle", "tpc434"], "Did you mean 'tcp434'?"),
        (["--bundle", "tcp434", "--bundle", "tcp434"], "There are two bundles 'tcp434'"),
        (["--max-memory-mb", "10"], "may hold 10485760 bytes, but a single body may have 67108864"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], sentence: str, dtb_run: Run) -> None:
    done = dtb_run("serve", *words)
    assert (done.code, done.out) == (2, "")
    assert sentence in done.err


def test_without_its_packages_it_says_how_to_get_them(
    dtb_run: Run, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("dtb_runtime.service_")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = dtb_run("serve", "--bundle", tiny)
    assert done.code == 1
    assert "pip install 'dtb-runtime[serve]'" in done.err


def test_a_bundle_that_cannot_be_loaded_ends_it(dtb_run: Run, tiny: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny, tmp_path / "tiny"))
    (copy / "main.onnx").write_bytes(b"damaged")
    done = dtb_run("serve", "--bundle", copy, "--port", 0, "--workers", 1)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: ")
    assert "main.onnx" in done.err
    assert "Traceback" not in done.err


@pytest.mark.skipif(os.name != "posix", reason="ends the service with SIGINT")
def test_https_with_tokens_until_ctrl_c(
    tiny: Path, token_file: Path, certificate: tuple[Path, Path]
) -> None:
    own, secret = certificate
    command = [sys.executable, "-m", "dtb_cli.app", "serve", "--bundle", tiny, "--port", "0"]
    command += ["--workers", "1", "--token-file", token_file]
    command += ["--tls-cert", own, "--tls-key", secret]
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Serving tiny at https://127.0.0.1:")
        assert " with 1 worker. What can be asked: https://" in line
        port = int(line.split()[3].rpartition(":")[2])
        trusted = ssl.create_default_context(cafile=str(own))
        statuses = []
        for headers in ({}, {"Authorization": f"Bearer {TOKEN}"}):
            connection = http.client.HTTPSConnection("127.0.0.1", port, context=trusted, timeout=30)
            connection.request("GET", "/v2", headers=headers)
            answer = connection.getresponse()
            assert isinstance(json.loads(answer.read()), dict)
            statuses.append(answer.status)
            connection.close()
        assert statuses == [401, 200]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert errors == ""


@pytest.mark.skipif(os.name != "posix", reason="ends the service with SIGINT")
def test_who_presses_ctrl_c_twice_sees_no_traceback(tiny: Path) -> None:
    command = [sys.executable, "-m", "dtb_cli.app", "serve", "--bundle", str(tiny), "--port", "0"]
    with subprocess.Popen(
        [*command, "--workers", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Serving tiny at http://127.0.0.1:")
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            time.sleep(0.03)  # signals that come at once are one
        _, errors = process.communicate(timeout=60)
    assert errors == ""
