"""JSON read strictly: every key expected, present, of its type and used exactly once."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from .errors import DataError
from .tables import one_line, shown

MAX_JSON_BYTES = 32 * 1024 * 1024
"""Longer JSON is refused: as Python's objects it can take twenty times as much."""
LARGEST_INTEGER = 2**53
"""Beyond it, JSON numbers differ between programs, and nothing here counts so far."""
_MAX_LISTED = 10

# These break tables, cannot be written, or let a terminal show something else than stands there.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)


class JsonObject:
    """One JSON object while it is being read.

    Take the values out by key, then call `close`: a key nobody asked for is an error, so that a
    misspelled or newer field is never silently ignored.

    Parameters
    ----------
    value : object
        What `json` returned.
    where : str
        Place for messages, e.g. ``"manifest.json"`` or ``"manifest.json, training"``.
    error : type of DataError
        Class of everything raised.

    Raises
    ------
    DataError
        If `value` is not an object; and from every method: a missing key, another type, a value
        out of range.
    """

    def __init__(self, value: object, where: str, error: type[DataError]) -> None:
        if not isinstance(value, dict):
            raise error(f"{where}: expected a JSON object, found {kind_of(value)}.")
        self.where = one_line(where)
        self._values: dict[str, Any] = dict(value)
        self._error = error

    @classmethod
    def parse(cls, data: bytes | str, where: str, error: type[DataError]) -> JsonObject:
        """Read JSON text whose top level is an object; a key twice or a NaN is an error."""
        where = one_line(where)
        if len(data) > MAX_JSON_BYTES:
            raise error(
                f"{where} is {len(data) / 1e6:.0f} MB of JSON; at most "
                f"{MAX_JSON_BYTES / 1e6:.0f} MB is read. Check that this is the file you meant."
            )

        def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            values = dict(pairs)
            if len(values) != len(pairs):
                twice = _first_repeated(key for key, _ in pairs)
                raise error(f"{where}: the key {shown(twice)} stands twice in one object.")
            return values

        def constant(text: str) -> NoReturn:
            raise error(f"{where}: {text} is not a JSON number.")

        try:
            value = json.loads(data, object_pairs_hook=unique, parse_constant=constant)
        except (ValueError, RecursionError) as cause:
            raise error(f"{where} is not valid JSON: {one_line(str(cause))}.") from cause
        return cls(value, where, error)

    @property
    def error(self) -> type[DataError]:
        """Class of what is raised."""
        return self._error

    def take(self, key: str) -> Any:
        """Any value."""
        try:
            return self._values.pop(key)
        except KeyError:
            raise self._error(f"{self.where}: the key {shown(key)} is missing.") from None

    def text(self, key: str) -> str:
        """Text that is not blank and holds no control character (it goes into tables)."""
        return self._checked_text(key, self.take(key))

    def optional_text(self, key: str) -> str | None:
        """Text, or None for null."""
        value = self.take(key)
        return None if value is None else self._checked_text(key, value)

    def one_of(self, key: str, allowed: tuple[str, ...]) -> Any:
        """One of a few texts; typed by the caller, who has them from a `Literal`."""
        value = self.text(key)
        if value not in allowed:
            self._refuse(key, " or ".join(map(repr, allowed)), value)
        return value

    def texts(self, key: str, *, unique: bool = False, blank: bool = False) -> tuple[str, ...]:
        """A list of texts."""
        values = self.take(key)
        if not isinstance(values, list):
            self._refuse(key, "a list of texts", values)
        texts = tuple(self._checked_text(key, value, blank=blank) for value in values)
        if unique and len(set(texts)) != len(texts):
            twice = _first_repeated(texts)
            raise self._error(f"{self.where}, {key}: {shown(twice)} stands there twice.")
        return texts

    def integer(self, key: str, *, minimum: int) -> int:
        """A whole number of at least `minimum`, and at most `LARGEST_INTEGER`."""
        value = self.take(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            self._refuse(key, f"a whole number of at least {minimum}", value)
        if value > LARGEST_INTEGER:
            self._refuse(key, f"a whole number of at most {LARGEST_INTEGER}", value)
        return int(value)

    def number(self, key: str) -> float:
        """A finite number."""
        return self._checked_number(key, self.take(key))

    def optional_number(self, key: str) -> float | None:
        """A finite number, or None for null."""
        value = self.take(key)
        return None if value is None else self._checked_number(key, value)

    def numbers(self, key: str, *, null_is_nan: bool = False) -> tuple[float, ...]:
        """A list of finite numbers; null reads as NaN where `null_is_nan`."""
        values = self.take(key)
        if not isinstance(values, list):
            self._refuse(key, "a list of numbers", values)
        return tuple(
            math.nan if value is None and null_is_nan else self._checked_number(key, value)
            for value in values
        )

    def child(self, key: str) -> JsonObject:
        """An object inside this one."""
        return JsonObject(self.take(key), f"{self.where}, {key}", self._error)

    def children(self, key: str) -> list[JsonObject]:
        """A list of objects inside this one."""
        values = self.take(key)
        if not isinstance(values, list):
            self._refuse(key, "a list of objects", values)
        return [
            JsonObject(value, f"{self.where}, {key} {number}", self._error)
            for number, value in enumerate(values, start=1)
        ]

    def optional_child(self, key: str) -> JsonObject | None:
        """An object inside this one, or None for null."""
        if self._values.get(key, False) is None:
            self.take(key)
            return None
        return self.child(key)

    def remaining_keys(self) -> tuple[str, ...]:
        """Keys not taken yet, where they are names: as `text` takes them."""
        for key in self._values:
            if not key.strip() or _CONTROL.search(key):
                raise self._error(
                    f"{self.where}: expected names on one line, found the key {shown(key)}."
                )
        return tuple(self._values)

    def rest(self) -> Mapping[str, Any]:
        """Take everything that is left, as it is."""
        values, self._values = self._values, {}
        return values

    def close(self) -> None:
        """End the reading.

        Raises
        ------
        DataError
            A key was not taken.
        """
        if self._values:
            keys = ", ".join(map(shown, sorted(self._values)[:_MAX_LISTED]))
            raise self._error(
                f"{self.where}: unknown key {keys}. It was written for another version of "
                "dtb-runtime, or by hand."
            )

    def _checked_text(self, key: str, value: object, *, blank: bool = False) -> str:
        if not isinstance(value, str) or not (blank or value.strip()) or _CONTROL.search(value):
            self._refuse(key, "one line of text", value)
        return str(value)

    def _checked_number(self, key: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._refuse(key, "a number", value)
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):  # 1e999 is valid JSON
            self._refuse(key, "a finite number", value)
        return number

    def _refuse(self, key: str, expected: str, value: object) -> NoReturn:
        raise self._error(f"{self.where}, {key}: expected {expected}, found {kind_of(value)}.")


def _first_repeated(texts: Iterable[str]) -> str:
    """The first text that stands somewhere before; there is one."""
    seen: set[str] = set()
    for text in texts:
        if text in seen:
            return text
        seen.add(text)
    raise ValueError("no text stands there twice")


def kind_of(value: object) -> str:
    """A JSON value for messages, and no more of it than helps."""
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."
