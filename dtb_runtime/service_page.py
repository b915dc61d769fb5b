"""The page that documents the service: made of its OpenAPI document, and of nothing from elsewhere.

One file without links to other sites, so that it works where there is no network, and nobody else
learns that it was looked at.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from .oip_models import ANY, ServedModel
from .service_jobs import JSON_TYPE

STYLE = """
:root { color-scheme: light dark; }
html { background: Canvas; color: CanvasText; }
body { overflow-wrap: anywhere; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
details { border: 1px solid GrayText; border-radius: 4px; margin: .5rem 0; padding: .5rem 1rem; }
summary { cursor: pointer; }
code, pre, textarea { font-family: ui-monospace, monospace; font-size: .9rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid GrayText; padding: .25rem .5rem; text-align: left;
  vertical-align: top; }
textarea, input { box-sizing: border-box; width: 100%; }
pre { max-height: 30rem; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
button { margin: .5rem .5rem .5rem 0; }
"""
SCRIPT = """
"use strict";
async function ask(form) {
  const output = form.querySelector("output");
  let path = form.dataset.path;
  for (const field of form.querySelectorAll("select")) {
    path = path.replace(`{${field.name}}`, encodeURIComponent(field.value));
  }
  const options = { method: form.dataset.method, headers: {} };
  const token = document.getElementById("token");
  if (token && token.value) options.headers.Authorization = `Bearer ${token.value}`;
  const body = form.querySelector("textarea");
  if (body) {
    options.body = body.value;
    options.headers["Content-Type"] = "application/json";
  }
  output.textContent = "...";
  try {
    const answer = await fetch(path, options);
    let text = await answer.text();
    try { text = JSON.stringify(JSON.parse(text), null, 1); } catch { }
    const shown = text.length > 200000 ? `${text.slice(0, 200000)}\\n...` : text;
    output.textContent = `${answer.status} ${answer.statusText}\\n${shown}`;
  } catch (error) {
    output.textContent = String(error);
  }
}
function connectome(n) {
  return Array.from({ length: n }, (_, i) =>
    Array.from({ length: n }, (_, j) => Number((0.5 ** Math.abs(i - j)).toFixed(4))));
}
function filled(input) {
  const size = input.shape.reduce((product, length) => product * length, 1);
  const data = input.name === "connectome"
    ? connectome(input.shape[1]).flat() : new Array(size).fill(0);
  return { ...input, data };
}
function fill(form) {
  const example = JSON.parse(form.dataset.example);
  const model = form.querySelector("select[name=model]");
  const body = model
    ? { inputs: example[model.value].inputs.map(filled), outputs: example[model.value].outputs }
    : { connectome: connectome(example.regions), trials: false };
  form.querySelector("textarea").value = JSON.stringify(body);
}
for (const form of document.querySelectorAll("form[data-path]")) {
  form.addEventListener("submit", (event) => { event.preventDefault(); ask(form); });
  const example = form.querySelector("button[type=button]");
  if (example) example.addEventListener("click", () => fill(form));
}
"""


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


CONTENT_SECURITY = (
    f"default-src 'none'; script-src '{_hash(SCRIPT)}'; style-src '{_hash(STYLE)}'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Header with which browsers run and load nothing but what is on the page."""
_LENGTHS = {"people": 1, "time": 10}
"""Of axes that an example chooses."""


def page(document: Mapping[str, Any], models: Iterable[ServedModel]) -> str:
    """The page, as HTML.

    Parameters
    ----------
    document : mapping
        An OpenAPI document, as JSON values.
    models : iterable of ServedModel
        Of which examples can be filled in: those that are served.
    """
    models = [*models]
    of_models = {model.name: _example(model) for model in models}
    sizes = [model.inputs[0].shape[1] for model in models if model.kind == "twin"]
    html = Element("html", lang="en")
    head = SubElement(html, "head")
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    info = document["info"]
    _text(head, "title", info["title"])
    _text(head, "style", STYLE)
    body = SubElement(SubElement(html, "body"), "main")
    _text(body, "h1", f"{info['title']} {info['version']}")
    _text(body, "p", info["description"])
    linked = _text(body, "p", "The same as a document: ")
    _text(linked, "a", "openapi.json", href="openapi.json")
    line = _text(body, "p", "In commands, ")
    _text(line, "code", "BASE")
    _after(line[-1], " stands for this service's address, such as http://127.0.0.1:8080, and ")
    _text(line, "code", "body.json")
    _after(line[-1], " for a file that holds the body.")
    if "security" in document:
        label = _text(body, "label", "Token, sent with everything that is tried here: ")
        SubElement(label, "input", id="token", type="password", autocomplete="off")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            example: dict[str, Any] = of_models if path.endswith("/infer") else {}
            if path == "/v1/predict" and sizes:
                example = {"regions": sizes[0]}
            part = _operation(document, method.upper(), path, operation)
            part.append(_form(method.upper(), path, operation, example))
            body.append(part)
    _text(body, "h2", "Messages")
    for name, schema in sorted(document["components"]["schemas"].items()):
        body.append(_schema(name, schema))
    _text(body, "script", SCRIPT)
    return "<!DOCTYPE html>\n" + tostring(html, encoding="unicode", method="html")


def _text(parent: Element, tag: str, text: str, **attributes: str) -> Element:
    found = SubElement(parent, tag, attributes)
    found.text = text
    return found


def _operation(
    document: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]
) -> Element:
    part = Element("details")
    heading = SubElement(part, "summary")
    _text(heading, "code", f"{method} {path}")
    _after(heading[-1], f" {operation.get('summary', '')}")
    rows = [
        (one["name"], f"in the {one['in']}", one.get("description", ""))
        for one in operation.get("parameters", ())
    ]
    _table(part, ("parameter", "where", ""), rows)
    body = operation.get("requestBody", {}).get("content", {})
    for media, content in body.items():
        _linked(part, f"Takes {media}: ", content["schema"])
    for status, response in operation["responses"].items():
        for media, content in response.get("content", {}).items():
            _linked(part, f"{status}: {media}: ", content.get("schema", {}))
    if JSON_TYPE in body:
        token = (
            ""
            if operation.get("security", document.get("security")) is None
            else ("-H 'Authorization: Bearer TOKEN' ")
        )
        command = f"curl {token}-H 'Content-Type: {JSON_TYPE}' --data @body.json BASE{path}"
        _text(SubElement(part, "pre", tabindex="0"), "code", command)
    return part


def _example(model: ServedModel) -> dict[str, Any]:
    """What a model takes at least, and what to ask of it: few numbers where it gives many."""
    inputs = [
        {
            "name": one.name,
            "datatype": one.datatype,
            "shape": [
                _LENGTHS[axis] if length == ANY else length
                for axis, length in zip(one.axes, one.shape, strict=True)
            ],
        }
        for one in model.inputs
        if not one.is_optional
    ]
    names = [one.name for one in model.outputs]
    wanted = ["indicators", "indicator_names"] if model.kind == "twin" else names[:1]
    return {"inputs": inputs, "outputs": [{"name": name} for name in wanted]}


def _form(
    method: str, path: str, operation: Mapping[str, Any], example: Mapping[str, Any]
) -> Element:
    data = {"data-method": method, "data-path": path, "data-example": json.dumps(example)}
    form = Element("form", data)
    for one in operation.get("parameters", ()):
        if "enum" in one["schema"]:
            label = _text(form, "label", f"{one['name']} ")
            choices = SubElement(label, "select", name=one["name"])
            for choice in one["schema"]["enum"]:
                _text(choices, "option", choice)
    if JSON_TYPE in operation.get("requestBody", {}).get("content", {}):
        label = _text(form, "label", "Body ")
        _text(label, "textarea", "{}", rows="6", spellcheck="false")
    _text(form, "button", "Send", type="submit")
    if example:
        _text(form, "button", "Fill in an example", type="button")
    # What is longer than its frame is scrolled, also without a mouse.
    SubElement(SubElement(form, "pre", tabindex="0"), "output")
    return form


def _schema(name: str, schema: Mapping[str, Any]) -> Element:
    part = Element("details", id=f"message-{name}")
    _text(SubElement(part, "summary"), "code", name)
    _text(part, "p", schema.get("description", ""))
    needed = schema.get("required", ())
    rows = [
        (
            key,
            _kind(of) + ("" if key in needed else ", optional"),
            " ".join(_sentences(of)),
        )
        for key, of in schema.get("properties", {}).items()
    ]
    _table(part, ("key", "value", ""), rows)
    return part


def _sentences(schema: Mapping[str, Any]) -> Iterator[str]:
    if "description" in schema:
        yield str(schema["description"])
    if schema.get("default") is not None:
        yield f"Default: {json.dumps(schema['default'])}."


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema's type in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " or ".join(json.dumps(value) for value in schema["enum"])
    if "anyOf" in schema:
        kinds = dict.fromkeys(_kind(one) for one in schema["anyOf"])
        return " or ".join(kind for kind in kinds if kind != "null")
    kind = str(schema.get("type", "anything"))
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {_kind(schema['additionalProperties'])}"
    return kind


def _linked(part: Element, words: str, schema: Mapping[str, Any]) -> None:
    line = _text(part, "p", words)
    kind = _kind(schema)
    if "$ref" in schema:
        _text(line, "a", kind, href=f"#message-{kind}")
    else:
        _text(line, "span", kind)


def _table(part: Element, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    rows = list(rows)
    if not rows:
        return
    table = SubElement(part, "table")
    head = SubElement(SubElement(table, "thead"), "tr")
    for column in columns:
        _text(head, "th", column or "meaning", scope="col")
    body = SubElement(table, "tbody")
    for first, *others in rows:
        row = SubElement(body, "tr")
        _text(_text(row, "td", ""), "code", first)
        for cell in others:
            _text(row, "td", cell)


def _after(element: Element, text: str) -> None:
    element.tail = text
