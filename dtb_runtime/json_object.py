"""JSON read strictly: every key expected, present, of its type and used exactly once."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from .errors import DataError

_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")  # these break tables, or cannot be written


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
            raise error(f"{where}: expected a JSON object, found {_kind(value)}.")
        self.where = where
        self._values: dict[str, Any] = dict(value)
        self._error = error

    @classmethod
    def parse(cls, data: bytes | str, where: str, error: type[DataError]) -> JsonObject:
        """Read JSON text whose top level is an object; a key twice or a NaN is an error."""

        def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            values = dict(pairs)
            if len(values) != len(pairs):
                keys = [key for key, _ in pairs]
                twice = next(key for key in keys if keys.count(key) > 1)
                raise error(f"{where}: the key {twice!r} stands twice in one object.")
            return values

        def constant(text: str) -> NoReturn:
            raise error(f"{where}: {text} is not a JSON number.")

        try:
            value = json.loads(data, object_pairs_hook=unique, parse_constant=constant)
        except (ValueError, RecursionError) as cause:
            raise error(f"{where} is not valid JSON: {cause}.") from cause
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
            raise self._error(f"{self.where}: the key {key!r} is missing.") from None

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
            twice = next(text for text in texts if texts.count(text) > 1)
            raise self._error(f"{self.where}, {key}: {twice!r} stands there twice.")
        return texts

    def integer(self, key: str, *, minimum: int) -> int:
        """A whole number of at least `minimum`."""
        value = self.take(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            self._refuse(key, f"a whole number of at least {minimum}", value)
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
        """Keys not taken yet."""
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
            keys = ", ".join(repr(key) for key in sorted(self._values))
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
        raise self._error(f"{self.where}, {key}: expected {expected}, found {_kind(value)}.")


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    shown = repr(value)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."
