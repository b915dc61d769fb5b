"""The service's addresses: what each answers, what is refused and how, and what is said of it."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import MutableMapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtb_runtime.bundle import Bundle
from dtb_runtime.bundle_files import read_manifest
from dtb_runtime.oip_models import served_models
from dtb_runtime.service_app import create_app
from dtb_runtime.service_body import HeldBytes
from dtb_runtime.service_endpoint import Service
from dtb_runtime.service_guard import Guard
from dtb_runtime.service_jobs import Answer, Job
from dtb_runtime.service_limits import ServiceLimits
from dtb_runtime.service_metrics import ServiceMetrics
from dtb_runtime.service_tokens import Tokens
from dtb_runtime.service_worker import ServiceWorker

from .service_fakes import FakePool

TINY = Path(__file__).parents[1] / "bundles" / "tiny"
JSON = {"content-type": "application/json"}
TOKEN = "0123456789abcdef"
INFER = "/v2/models/twin/infer"


@dataclass
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        assert self.headers["content-type"] == "application/json"
        assert list(self.json) == ["error"]
        return str(self.json["error"])


class Client:
    """Asks a service whose workers are made up."""

    def __init__(self, *, tokens: Tokens | None = None, logs: bool = False, **limits: Any) -> None:
        self.pool = FakePool()
        bounds = ServiceLimits(**limits)
        self.held = HeldBytes(bounds.held_bytes)
        metrics = ServiceMetrics()
        metrics.watch(self.pool, self.held)  # type: ignore[arg-type]
        models = served_models([read_manifest(TINY)])
        service = Service(self.pool, models, bounds, self.held, metrics)  # type: ignore[arg-type]
        app = create_app(service, has_tokens=tokens is not None)
        self.guard = Guard(app, bounds, metrics, tokens=tokens, logs_requests=logs)
        self.most_held = 0

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | list[bytes] | None = None,
        headers: dict[str, str] | None = None,
        *,
        stays: bool = True,
    ) -> Reply:
        """Send a request whose body comes in parts, and wait for the answer."""
        parts = body if isinstance(body, list) else [body or b""]
        sent = dict(headers or {})
        if body is not None:
            sent.setdefault("content-length", str(sum(map(len, parts))))
        return asyncio.run(self._ask(method, path, parts, sent, stays))

    async def _ask(
        self, method: str, path: str, parts: list[bytes], headers: dict[str, str], stays: bool
    ) -> Reply:
        left = list(parts)
        messages: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            await asyncio.sleep(0)
            self.most_held = max(self.most_held, self.held.n_bytes)
            if left:
                return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}
            if stays:
                await asyncio.sleep(60)
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            messages.append(message)

        raw, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "path": raw,
            "raw_path": raw.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "scheme": "http",
            "server": ("test", 80),
            "client": ("127.0.0.1", 1),
            "headers": [(name.encode(), of.encode()) for name, of in headers.items()],
        }
        await asyncio.wait_for(self.guard(scope, receive, send), 20)
        if not messages:
            return Reply(0, {}, b"")
        start, *rest = messages
        given = {name.decode(): of.decode() for name, of in start["headers"]}
        assert rest[-1].get("more_body", False) is False
        return Reply(start["status"], given, b"".join(bytes(one["body"]) for one in rest))

    def metric(self, name: str) -> float:
        """Value of a line of /metrics."""
        text = self.ask("GET", "/metrics").body.decode()
        (found,) = re.findall(rf"^{re.escape(name)} (\S+)$", text, flags=re.MULTILINE)
        return float(found)


@pytest.fixture
def client() -> Client:
    return Client()


def tokens(tmp_path: Path) -> Tokens:
    path = tmp_path / "tokens"
    path.write_text(TOKEN, encoding="ascii")
    path.chmod(0o600)
    return Tokens.read(path)


def test_the_server_and_its_models_are_described(client: Client) -> None:
    about = client.ask("GET", "/v2")
    assert (about.status, about.json["name"]) == (200, "dtb-runtime")
    assert "binary_tensor_data" in about.json["extensions"]
    assert client.ask("GET", "/v2/").json == about.json
    assert client.ask("GET", "/v2/health/live").json == {"live": True}
    model = client.ask("GET", "/v2/models/twin").json
    assert model["name"] == "twin"
    (version,) = model["versions"]
    shapes = {tensor["name"]: tensor["shape"] for tensor in model["inputs"]}
    assert shapes["connectome"] == [-1, 12, 12]
    assert client.ask("GET", f"/v2/models/twin/versions/{version}").json == model
    index = client.ask("POST", "/v2/repository/index", b"").json
    assert {"name": "tiny-main", "version": version, "state": "READY", "reason": ""} in index
    assert len(index) == 6


@pytest.mark.parametrize("is_ready", [True, False])
def test_it_is_ready_when_its_workers_are(is_ready: bool, client: Client) -> None:
    client.pool.is_ready = is_ready
    status = 200 if is_ready else 503
    server = client.ask("GET", "/v2/health/ready")
    assert (server.status, server.json) == (status, {"ready": is_ready})
    model = client.ask("GET", "/v2/models/tiny-twin/ready")
    assert (model.status, model.json) == (status, {"name": "tiny-twin", "ready": is_ready})
    assert client.ask("GET", "/v2/health/live").status == 200


def test_a_body_goes_to_a_worker_as_it_is_and_the_answer_comes_back(client: Client) -> None:
    client.pool.next_answer = Answer(200, b"[1]" + bytes(3_000_000), "application/octet-stream", 3)
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": "2"}
    reply = client.ask("POST", INFER, [b"{}", b"abc", b""], headers)
    (job,) = client.pool.jobs
    assert (job.kind, job.model, job.body, job.header_length) == ("infer", "twin", b"{}abc", 2)
    assert job.content_type == "application/octet-stream"
    assert reply.body == b"[1]" + bytes(3_000_000)
    assert reply.headers["content-length"] == "3000003"
    assert reply.headers["inference-header-content-length"] == "3"
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["cache-control"] == "no-store"
    assert client.held.n_bytes == 0


@pytest.mark.parametrize("kind", ["predict", "calibrate", "apply-plan"])
def test_requests_for_people_are_jobs_of_their_kind(kind: str, client: Client) -> None:
    reply = client.ask(
        "POST",
        f"/v1/{kind}",
        b'{"x": 1}',
        JSON | {"content-type": "Application/JSON; charset=utf-8"},
    )
    assert (reply.status, reply.json) == (200, {"a": 1})
    (job,) = client.pool.jobs
    assert (job.kind, job.body, job.content_type) == (kind, b'{"x": 1}', "application/json")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "sentence"),
    [
        ("GET", "/", {}, 404, "There is nothing at this address. /docs lists what there is."),
        ("GET", "/v2/models/nobody", {}, 404, "There is no model 'nobody'; there are: twin"),
        ("GET", "/v2/models/twin/config", {}, 404, "Triton's configurations, statistics, traces"),
        ("GET", "/v2/models/twin/stats", {}, 404, "Triton's configurations, statistics, traces"),
        ("GET", "/v2/models/stats", {}, 404, "Triton's configurations, statistics, traces"),
        ("POST", "/v2/repository/models/twin/load", {}, 404, "loading of models are not served"),
        ("GET", "/v2/models/twin/versions/1", {}, 404, "There is no version '1' of twin"),
        ("POST", "/v2/models/nobody/infer", JSON, 404, "There is no model 'nobody'"),
        ("POST", "/v2/models/twin/versions/7/infer", JSON, 404, "There is no version '7'"),
        ("GET", INFER, {}, 405, "This address takes another method"),
        ("DELETE", "/v2", {}, 405, "This address takes another method"),
        ("POST", "/v1/predict", {}, 415, "Content-Type application/json."),
        ("POST", "/v1/predict", {"content-type": "text/plain"}, 415, "application/json"),
        (
            "POST",
            INFER,
            {"content-type": "application/x-www-form-urlencoded"},
            415,
            "Content-Type application/json or application/octet-stream.",
        ),
        ("POST", INFER, JSON | {"content-encoding": "gzip"}, 415, "without Content-Encoding"),
        ("POST", INFER, {"content-length": "2000000000"}, 413, "at most 67108864 bytes"),
        ("POST", INFER, {"transfer-encoding": "chunked"}, 411, "length must be known"),
        (
            "POST",
            INFER,
            {"inference-header-content-length": "-1"},
            400,
            "Inference-Header-Content-Length must be a number of bytes",
        ),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_protocols_error_object(
    method: str, path: str, headers: dict[str, str], status: int, sentence: str, client: Client
) -> None:
    reply = client.ask(method, path, b"{}" if method == "POST" else None, headers)
    assert reply.status == status
    assert sentence in reply.error
    assert client.pool.jobs == []
    if status == 405:
        assert reply.headers["allow"]


def test_a_request_without_a_body_has_an_empty_one(client: Client) -> None:
    assert client.ask("POST", "/v2/repository/index", None, {}).status == 200


def test_an_unread_body_ends_the_connection_after_it_was_thrown_away(client: Client) -> None:
    reply = client.ask("POST", "/v1/nothing", [b"ab", b"cd"], JSON)
    assert reply.status == 404
    assert reply.headers["connection"] == "close"
    assert "connection" not in client.ask("POST", "/v1/predict", b"{}", JSON).headers


def test_a_body_that_is_longer_than_it_may_be_is_not_held() -> None:
    client = Client(body_bytes=10, held_bytes=10)
    reply = client.ask("POST", INFER, [b"12345"] * 3, {"content-length": "10"})
    assert reply.status == 413
    assert client.held.n_bytes == 0
    assert client.most_held == 10


def test_all_bodies_together_are_bounded() -> None:
    client = Client(body_bytes=10, held_bytes=12)
    client.held.n_bytes = 5  # of others
    reply = client.ask("POST", INFER, [b"1234"] * 2, JSON)
    assert (reply.status, reply.headers["retry-after"]) == (429, "1")
    assert "holds as much as it may" in reply.error
    assert client.held.n_bytes == 5
    assert client.ask("POST", INFER, b"1234567", JSON).status == 200
    assert client.held.n_bytes == 5


def test_an_answer_is_held_until_it_is_sent() -> None:
    client = Client()
    client.pool.next_answer = Answer(200, bytes(5000))
    with client.held.account() as account:
        account.hold(7)
        assert client.ask("POST", INFER, b"{}", JSON).status == 200
        assert client.held.n_bytes == 7
    assert client.held.n_bytes == 0


def test_a_full_queue_is_said_before_the_body_is_read(client: Client) -> None:
    client.pool.is_full = True
    reply = client.ask("POST", INFER, b"{}", JSON)
    assert (reply.status, reply.headers["retry-after"]) == (429, "1")
    assert "256 requests wait already" in reply.error
    assert client.most_held == 0


def test_a_body_that_comes_too_slowly_is_refused() -> None:
    client = Client(body_s=0.05)

    async def slow() -> int:
        async def receive() -> MutableMapping[str, Any]:
            await asyncio.sleep(0.01)
            return {"type": "http.request", "body": b".", "more_body": len(sent) == 0}

        sent: list[MutableMapping[str, Any]] = []

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": INFER,
            "query_string": b"",
            "headers": [(b"content-length", b"1000000")],
        }
        await client.guard(scope, receive, send)
        return int(sent[0]["status"])

    assert asyncio.run(slow()) == 408
    assert client.held.n_bytes == 0


def test_a_client_that_goes_takes_its_request_back(client: Client) -> None:
    client.pool.next_answer = None
    assert client.ask("POST", INFER, b"{}", JSON, stays=False).status == 0
    (waiting,) = client.pool.waiting
    assert waiting.cancelled()
    assert client.held.n_bytes == 0
    path = 'path="/v2/models/{model}/infer"'
    assert client.metric(f'dtb_requests_total{{method="POST",{path},status="gone"}}') == 1


def test_head_is_counted_as_what_it_is(client: Client) -> None:
    assert client.ask("HEAD", "/v2").status == 200
    assert client.ask("HEAD", INFER).status == 405
    assert client.metric('dtb_requests_total{method="HEAD",path="/v2",status="200"}') == 1


def test_who_still_waits_when_the_service_stops_waiting_is_told_so(client: Client) -> None:
    client.pool.next_answer = None

    async def test() -> list[MutableMapping[str, Any]]:
        asked = False
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            nonlocal asked
            if asked:
                await asyncio.sleep(60)
            asked = True
            return {"type": "http.request", "body": b"{}", "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": INFER,
            "query_string": b"",
            "headers": [(b"content-length", b"2")],
        }
        task = asyncio.ensure_future(client.guard(scope, receive, send))
        while not client.pool.waiting:
            await asyncio.sleep(0)
        task.cancel()
        await task
        return sent

    start, body = asyncio.run(test())
    assert start["status"] == 503
    assert (b"retry-after", b"1") in start["headers"]
    assert json.loads(body["body"]) == {"error": "The service is being stopped."}
    assert client.held.n_bytes == 0
    path = 'path="/v2/models/{model}/infer"'
    assert client.metric(f'dtb_requests_total{{method="POST",{path},status="503"}}') == 1


def test_a_client_that_goes_before_its_body_has_come_asks_nothing(client: Client) -> None:
    reply = client.ask("POST", INFER, [], {"content-length": "10"}, stays=False)
    assert (reply.status, client.pool.jobs) == (0, [])


@pytest.mark.parametrize("status", [429, 503])
def test_what_may_go_well_later_says_when(status: int, client: Client) -> None:
    client.pool.next_answer = Answer.refusal(status, "Later.")
    reply = client.ask("POST", INFER, b"{}", JSON)
    assert (reply.status, reply.error, reply.headers["retry-after"]) == (status, "Later.", "1")


def test_a_mistake_of_ours_says_nothing_of_anybody(
    client: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(job: object) -> None:
        raise ValueError("anna-k is 34 years old")

    monkeypatch.setattr(client.pool, "submit", fail)
    reply = client.ask("POST", INFER, b"{}", JSON)
    assert reply.status == 500
    assert reply.error == "The service made a mistake and has no answer."
    assert "ValueError in " in caplog.text
    assert "anna-k" not in caplog.text
    assert client.held.n_bytes == 0


def test_whoever_has_no_token_is_told_nothing_else(tmp_path: Path) -> None:
    client = Client(tokens=tokens(tmp_path))
    good = {"authorization": f"Bearer {TOKEN}"}
    for path in ("/v2", "/v2/models/twin", "/metrics", "/nothing"):
        reply = client.ask("GET", path)
        assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")
        assert reply.error.startswith("A token is needed")
        assert client.ask("GET", path, headers=good).status in (200, 404)
    wrong = {"authorization": f"Bearer {TOKEN}x"}
    assert client.ask("POST", INFER, b"{}", JSON | wrong).status == 401
    assert client.ask("POST", INFER, b"{}", JSON | {"content-length": "9" * 12}).status == 401
    assert client.pool.jobs == []
    assert client.ask("POST", INFER, b"{}", JSON | good).status == 200
    for path in ("/v2/health/live", "/v2/health/ready", "/docs", "/openapi.json"):
        assert client.ask("GET", path).status == 200


def test_while_it_ends_nothing_new_is_taken(client: Client) -> None:
    client.guard.is_draining = True
    reply = client.ask("POST", INFER, b"{}", JSON)
    assert (reply.status, reply.error) == (503, "The service is being stopped.")
    assert client.ask("GET", "/v2").status == 503
    assert client.ask("GET", "/v2/health/live").status == 200


def test_what_is_counted_and_logged_holds_no_word_of_a_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "dtb_runtime.service")
    client = Client(logs=True)
    headers = JSON | {"x-note": "anna-k"}
    client.ask("POST", f"{INFER}?who=anna-k", b'{"id": "anna-k"}', headers)
    client.ask("GET", "/v2/models/anna-k")
    client.ask("GET", "/anna-k")
    client.ask("anna-k", "/v2")
    text = client.ask("GET", "/metrics").body.decode()
    assert "anna-k" not in text
    assert "anna-k" not in caplog.text
    path = 'path="/v2/models/{model}/infer"'
    assert f'dtb_requests_total{{method="POST",{path},status="200"}} 1.0' in text
    assert f"dtb_people_total{{{path}}} 2.0" in text
    assert 'dtb_requests_total{method="GET",path="/v2/models/{model}",status="404"} 1.0' in text
    assert 'dtb_requests_total{method="GET",path="other",status="404"} 1.0' in text
    assert 'dtb_requests_total{method="other",path="/v2",status="405"} 1.0' in text
    assert "POST /v2/models/{model}/infer 200 " in caplog.text


def test_what_is_refused_at_the_door_is_counted_by_its_address(tmp_path: Path) -> None:
    client = Client(tokens=tokens(tmp_path), body_bytes=10)
    good = {"authorization": f"Bearer {TOKEN}"}
    client.ask("POST", INFER, b"{}", JSON)
    client.ask("POST", "/v1/predict", b"{}" * 6, JSON | good)
    client.ask("GET", "/v1/calibrate", headers=good)
    text = client.ask("GET", "/metrics", headers=good).body.decode()
    for method, path, status in (
        ("POST", "/v2/models/{model}/infer", 401),
        ("POST", "/v1/predict", 413),
        ("GET", "/v1/calibrate", 405),
    ):
        line = f'dtb_requests_total{{method="{method}",path="{path}",status="{status}"}} 1.0'
        assert line in text


def test_metrics_show_what_waits_and_works(client: Client) -> None:
    client.pool.n_waiting, client.pool.n_workers = 5, 4
    client.pool.n_alive, client.pool.n_busy, client.held.n_bytes = 3, 2, 99
    assert client.metric("dtb_requests_waiting") == 5
    assert client.metric('dtb_workers{state="busy"}') == 2
    assert client.metric('dtb_workers{state="idle"}') == 1
    assert client.metric('dtb_workers{state="beginning"}') == 1
    assert client.metric("dtb_held_bytes") == 99
    reply = client.ask("GET", "/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=")
    assert reply.headers["content-type"].count("charset") == 1


def test_every_address_is_documented(client: Client, tmp_path: Path) -> None:
    document = client.ask("GET", "/openapi.json").json
    assert sorted(document["paths"]) == [
        "/metrics",
        "/v1/apply-plan",
        "/v1/calibrate",
        "/v1/predict",
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/{model}",
        "/v2/models/{model}/infer",
        "/v2/models/{model}/ready",
        "/v2/models/{model}/versions/{version}",
        "/v2/models/{model}/versions/{version}/infer",
        "/v2/models/{model}/versions/{version}/ready",
        "/v2/repository/index",
    ]
    schemas = set(document["components"]["schemas"])
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert named <= schemas
    assert {"InferRequest", "PredictRequest", "CalibrateRequest", "ApplyPlanRequest"} <= named
    assert "HTTPValidationError" not in schemas
    for methods in document["paths"].values():
        for operation in methods.values():
            (error,) = operation["responses"]["default"]["content"].values()
            assert error["schema"] == {"$ref": "#/components/schemas/ErrorMessage"}
            assert "422" not in operation["responses"]
    assert "security" not in document
    secured = Client(tokens=tokens(tmp_path)).ask("GET", "/openapi.json").json
    assert secured["security"] == [{"token": []}]
    assert secured["paths"]["/v2/health/live"]["get"]["security"] == []


class Links(HTMLParser):
    """What a page would load, and the words it shows."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("src", "href", "action") and value is not None:
                self.links.append(value)
            if name == "id" and value is not None:
                self.ids.add(value)


def test_the_page_of_documents_loads_nothing_from_elsewhere(client: Client) -> None:
    reply = client.ask("GET", "/docs")
    assert reply.headers["content-type"].startswith("text/html")
    policy = reply.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    text = reply.body.decode()
    found = Links()
    found.feed(text)
    assert {link for link in found.links if not link.startswith("#")} == {"openapi.json"}
    assert {link[1:] for link in found.links if link.startswith("#")} <= found.ids
    for word in ("POST /v1/predict", "CalibrateRequest", "not a medical device", "<button"):
        assert word in text


def test_examples_on_the_page_are_answered(client: Client, tiny: Bundle) -> None:
    """What the page's script fills in: made-up correlations, else zeros."""
    forms: list[dict[str, str | None]] = []

    class Forms(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            if tag == "form":
                forms.append(dict(attributes))

    Forms().feed(client.ask("GET", "/docs").body.decode())
    examples = [
        json.loads(form["data-example"] or "")
        for form in forms
        if str(form["data-path"]).endswith("/infer")
    ]
    assert len(examples) == 2
    worker = ServiceWorker([tiny], ServiceLimits())
    assert {*examples[0]} == {*worker.models}
    for model, example in examples[0].items():
        for one in example["inputs"]:
            apart = np.abs(np.subtract.outer(np.arange(12), np.arange(12)))
            data = 0.5**apart if one["name"] == "connectome" else np.zeros(one["shape"])
            one["data"] = data.ravel().tolist()
        body = json.dumps(example).encode()
        (answer,) = worker.answer([Job("infer", body, model=model)])
        assert answer.status == 200, answer.body


def test_browsers_run_the_pages_own_script_and_style(client: Client) -> None:
    """The hashes in the policy are those of the text between the tags, to the last byte."""
    import base64
    import hashlib

    reply = client.ask("GET", "/docs")
    for tag in ("script", "style"):
        (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", reply.body.decode(), flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in reply.headers["content-security-policy"]


def test_the_page_on_serving_names_what_there_is(client: Client) -> None:
    text = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
    page = " ".join(text.split())
    metrics = re.findall(r"^# TYPE (dtb_\w+) ", client.ask("GET", "/metrics").body.decode(), re.M)
    named = {name.removesuffix("_created") for name in metrics}
    assert {
        name for name in named if f"`{name}" not in page and f"`{name}_total" not in page
    } == set()
    for path in client.ask("GET", "/openapi.json").json["paths"]:
        shortened = path.replace("/v2/models/{model}/versions", ".../versions")
        assert path in page or shortened.rpartition("/ready")[0] in page, path
    limits = ServiceLimits()
    for option in (
        f"--max-body-mb {limits.body_bytes // 2**20}",
        f"--max-body-seconds {limits.body_s:g}",
        f"--max-memory-mb {limits.held_bytes // 2**20}",
        f"--queue {limits.queue}",
        f"--max-seconds {limits.request_s:g}",
        f"{limits.header_bytes // 2**10} KiB (431), {limits.header_s:g} s (408)",
        f"{limits.connections:,} (503)",
        f"{limits.answer_s:g} s, then the connection ends",
        f"up to {limits.max_batch} requests",
        f"the last {limits.twins_cached} twins",
        f"give it {limits.body_s + 5 * limits.request_s:g} s",
    ):
        assert option in page, option
