"""Hostile and broken clients at a running service: refused quickly, and nobody else is hurt."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIMITS = {
    "header_bytes": 4096,
    "header_s": 2.0,
    "body_bytes": 2_000_000,
    "held_bytes": 4_000_000,
    "body_s": 2.0,
    "answer_s": 1.0,
    "connections": 30,
    "queue": 4,
}
TELEMETRY = {
    "FASTAPI_OTEL_AUTO_CONFIGURE": "true",
    "OTEL_TRACES_EXPORTER": "unknown",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
}
"""With which FastAPI would send what befalls requests, and here not even begin."""
POST = b"POST /v2/models/main/infer HTTP/1.1\r\nHost: a\r\n"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="ends the service with SIGTERM")


class Server:
    """A service in a process of its own, with made-up workers."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.runtime.service_fakes", json.dumps(LIMITS)]
        environment = os.environ | TELEMETRY | {"PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def resident_bytes(self) -> int:
        """Memory of the front process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
        return 1024 * int(line.split()[1])


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    found = Server()
    try:
        yield found
        with found.connect() as good:
            assert ask(good, b"a")[0] == 200  # whatever was sent before
    finally:
        found.process.terminate()
        assert found.process.wait(20) == 0
        assert found.process.stdout is not None
        found.process.stdout.close()


def read(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """One answer."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        assert part, f"the connection ended after {data!r}"
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    while len(body) < int(headers["content-length"]):
        part = connection.recv(65536)
        assert part, "the connection ended within the body"
        body += part
    return int(status.split()[1]), headers, body


def ask(connection: socket.socket, body: bytes) -> tuple[int, dict[str, str], bytes]:
    connection.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    return read(connection)


def refused(connection: socket.socket, status: int) -> str:
    """The sentence of a refusal after which the connection ends."""
    found, headers, body = read(connection)
    assert found == status, body
    assert headers["connection"] == "close"
    assert headers["content-type"] == "application/json"
    with contextlib.suppress(ConnectionResetError):
        assert connection.recv(65536) == b""
    sentence = json.loads(body)["error"]
    assert isinstance(sentence, str)
    return sentence


def test_many_requests_go_over_one_connection(server: Server) -> None:
    with server.connect() as connection:
        for number in range(5):
            status, _, body = ask(connection, b"x" * number)
            assert (status, json.loads(body)["n_bytes"]) == (200, number)
        connection.sendall(2 * (POST + b"Content-Length: 1\r\n\r\na"))
        data = b""
        while data.count(b'"n_bytes": 1') < 2:
            data += connection.recv(65536)


def test_a_large_body_and_a_large_answer_arrive_whole(server: Server) -> None:
    with server.connect() as connection:
        status, _, body = ask(connection, b"a" * 2_000_000)
        assert (status, json.loads(body)["n_bytes"]) == (200, 2_000_000)
        status, headers, body = ask(connection, b"large 3000000")
        assert (status, body) == (200, bytes(3_000_000))
        assert headers["inference-header-content-length"] == "0"


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # the beginning of TLS
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        POST + b"Content-Length: 99999999999999999999999\r\n\r\n",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(sent: bytes, server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(sent)
        assert refused(connection, 400) == "This is no HTTP/1.1 request."


def test_two_gigabytes_are_refused_before_they_come(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(POST + b"Content-Length: 2000000000\r\n\r\n")
        assert "at most 2000000 bytes" in refused(connection, 413)


def test_whoever_sends_too_much_anyway_is_told_why(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(POST + b"Content-Length: 6000000\r\n\r\n" + bytes(6_000_000))
        assert "at most 2000000 bytes" in refused(connection, 413)


def test_a_body_that_is_announced_is_asked_for_only_if_it_is_taken(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 5000000\r\n\r\n")
        assert "at most" in refused(connection, 413)
    with server.connect() as connection:
        connection.sendall(POST + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n")
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"a")
        assert read(connection)[0] == 200


def test_a_body_in_chunks_without_end_is_refused(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(200):
                connection.sendall(b"2710\r\n" + b"a" * 10_000 + b"\r\n")
        assert "length must be known" in refused(connection, 411)


@pytest.mark.parametrize(
    "name", ["Authorization", "Content-Type", "Inference-Header-Content-Length"]
)
def test_a_header_that_stands_twice_is_refused(server: Server, name: str) -> None:
    """Whatever is in front of the service may have read the other one."""
    lines = f"{name}: 5\r\n{name.lower()}: 5\r\n".encode()
    with server.connect() as connection:
        connection.sendall(b"GET /v2 HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n")
        status, _, body = read(connection)
        assert status == 400
        assert f"The header {name} stands twice." in body.decode()


def test_packed_bodies_are_not_unpacked(server: Server) -> None:
    bomb = zlib.compress(bytes(50_000_000))
    with server.connect() as connection:
        head = POST + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
        connection.sendall(head + bomb)
        assert "without Content-Encoding" in refused(connection, 415)


@pytest.mark.parametrize(
    "sent",
    [
        POST + b"X: " + b"a" * 10_000,
        POST + b"a: b\r\n" * 1500,
        POST + b"a: b\r\n" * 1500 + b"\r\n",
        b"GET /" + b"a" * 10_000,
        b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
    ids=["one", "many", "many, to their end", "address", "address, to its end"],
)
def test_headers_without_end_are_refused(sent: bytes, server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(sent)
        assert "headers are too long: at most 4096 bytes" in refused(connection, 431)


def test_headers_that_come_slowly_are_not_waited_for(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(POST)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(8):
                connection.sendall(b"X: a\r\n")
                time.sleep(0.05)
        assert "did not arrive within 2 s" in refused(connection, 408)


def test_a_connection_on_which_nothing_comes_is_closed(server: Server) -> None:
    with server.connect() as connection:
        assert connection.recv(65536) == b""


def test_a_body_that_comes_slowly_is_not_waited_for(server: Server) -> None:
    with server.connect() as connection, server.connect() as other:
        connection.sendall(POST + b"Content-Length: 1000\r\n\r\n")
        connection.sendall(b"a")
        assert ask(other, b"b")[0] == 200
        assert "did not arrive within 2 s" in refused(connection, 408)


def test_an_answer_that_nobody_takes_is_not_kept(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(POST + b"Content-Length: 14\r\n\r\nlarge 30000000")
        connection.recv(1)  # it has begun
        assert holds_nothing(server)
        n_bytes = 0
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(2**20):
                n_bytes += len(part)
        assert n_bytes < 30_000_000  # what the system had taken already


def held(server: Server) -> float:
    """Bytes that the service holds, as it says itself."""
    with server.connect() as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        text = read(connection)[2].decode()
    (line,) = (line for line in text.splitlines() if line.startswith("dtb_held_bytes "))
    return float(line.split()[1])


def holds_nothing(server: Server) -> bool:
    """Whether the service holds nothing any more, as soon as it has seen that clients are gone."""
    end_s = time.monotonic() + 20
    while held(server) > 0 and time.monotonic() < end_s:
        time.sleep(0.05)
    return held(server) == 0


def test_more_connections_than_may_be_are_refused(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        several = [stack.enter_context(server.connect()) for _ in range(LIMITS["connections"])]
        assert ask(several[0], b"a")[0] == 200
        for connection in several:
            connection.sendall(POST)  # so that none is closed for having nothing to say
        one_more = stack.enter_context(server.connect())
        assert "too many connections" in refused(one_more, 503)
        assert all(refused(connection, 408) for connection in several)


def test_more_requests_than_may_wait_are_refused(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        several = [stack.enter_context(server.connect()) for _ in range(12)]
        for connection in several:
            connection.sendall(POST + b"Content-Length: 9\r\n\r\nsleep 0.5")
        answers = [read(connection) for connection in several]
        statuses = [status for status, _, _ in answers]
        assert set(statuses) == {200, 429}
        assert all(headers.get("retry-after") == "1" for s, headers, _ in answers if s == 429)


def test_a_client_that_goes_does_not_keep_a_worker_waiting(server: Server) -> None:
    for _ in range(20):
        with server.connect() as connection:
            connection.sendall(POST + b"Content-Length: 1000000\r\n\r\n" + bytes(500_000))
    for _ in range(20):
        with server.connect() as connection:
            connection.sendall(POST + b"Content-Length: 7\r\n\r\nsleep 0")
    with server.connect() as connection:
        assert ask(connection, b"a")[0] == 200
    assert holds_nothing(server)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_memory_stays_where_it_was(server: Server) -> None:
    def attack() -> None:
        for _ in range(10):
            with server.connect() as connection:
                ask(connection, b"a" * 2_000_000)
                connection.sendall(POST + b"Content-Length: 2000000\r\n\r\n" + bytes(1_000_000))
            # It is refused before all has come, and whoever still sends may not see why.
            with server.connect() as connection, contextlib.suppress(ConnectionError):
                connection.sendall(POST + b"X: " + b"a" * 1_000_000)
                refused(connection, 431)

    attack()
    before = server.resident_bytes()
    for _ in range(5):
        attack()
    assert server.resident_bytes() < before + 20_000_000  # 150 MB have come in


OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
NEXT = b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize(
    "parts",
    [
        [POST + OFFER + b"Content-Length: 9\r\n\r\nabcdefghi"],
        [POST + OFFER + b"Content-Length: 9\r\n\r\n", b"abcdefghi"],
        [POST + OFFER[:30], OFFER[30:] + b"Content-Length: 9\r\n\r\nabc", b"defghi"],
        [POST + OFFER + b"Content-Length: 9\r\nConnection: close\r\n\r\nabcdefghi"],
    ],
    ids=["one segment", "two", "split headers", "and the end"],
)
def test_offers_of_another_protocol_are_ignored(parts: list[bytes], server: Server) -> None:
    with server.connect() as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(0.05)
        status, headers, body = read(connection)
        assert (status, json.loads(body)["n_bytes"]) == (200, 9)
        if b"close" in parts[-1]:
            assert headers["connection"] == "close"
            return
        connection.sendall(NEXT)
        assert read(connection)[2] == b'{"live":true}'


def test_a_body_after_an_offer_is_never_a_request(server: Server) -> None:
    head = POST + OFFER + b"Content-Length: %d\r\n\r\n" % len(NEXT)
    for parts in ([head + NEXT], [head, NEXT]):
        with server.connect() as connection:
            for part in parts:
                connection.sendall(part)
                time.sleep(0.05)
            status, _, body = read(connection)
            assert (status, json.loads(body)["n_bytes"]) == (200, len(NEXT))
            assert json.loads(ask(connection, b"ab")[2])["n_bytes"] == 2


def test_many_offers_over_one_connection(server: Server) -> None:
    one = POST + OFFER + b"Content-Length: 1\r\n\r\na"
    with server.connect() as connection:
        connection.sendall(4 * one + NEXT)
        data = b""
        while b'{"live":true}' not in data:
            part = connection.recv(65536)
            assert part, data
            data += part
        assert data.count(b'"n_bytes": 1,') == 4


def test_what_follows_connect_is_not_read(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT)
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                data += part
        assert data.startswith(b"HTTP/1.1 400 ")
        assert b"connection: close" in data
        assert b"live" not in data


def test_a_body_of_any_length_leaves_the_connection_open(server: Server) -> None:
    with server.connect() as connection:
        for n_bytes in (3000, 5000, 40_000, 150_000):  # headers may have 4096
            status, headers, body = ask(connection, b"a" * n_bytes)
            assert (status, json.loads(body)["n_bytes"]) == (200, n_bytes)
            assert "connection" not in headers


@pytest.mark.parametrize("path", [b"/v2", b"/metrics", b"/docs", b"/openapi.json", b"/nothing"])
def test_head_is_answered_as_get_without_the_body(path: bytes, server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        status, headers, body = read(connection)
        assert status == (404 if path == b"/nothing" else 200)
        connection.sendall(b"HEAD " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT)
        data = b""
        while b'{"live":true}' not in data:
            part = connection.recv(65536)
            assert part, data
            data += part
        head, _, rest = data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status)
        if path != b"/metrics":  # which counts this
            assert b"content-length: %d" % len(body) in head
        assert f"content-type: {headers['content-type']}".encode() in head.lower()
        assert rest.startswith(b"HTTP/1.1 200 OK")


def test_requests_for_other_protocols_are_answered_as_they_are(server: Server) -> None:
    with server.connect() as connection:
        head = b"GET /v2 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        connection.sendall(head + b"Sec-WebSocket-Version: 13\r\n\r\n")
        assert read(connection)[0] == 200
