"""Ways to damage a file: blind ones, and ones that know what is packed in what.

A blind change of a compressed file is noticed by its checksum, and one of a sealed manifest by its
seal. So the content is damaged and packed again, with sums that are right: as somebody would who
means it.
"""

from __future__ import annotations

import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Rng = np.random.Generator
Mutation = Callable[[bytes, Rng, Sequence[bytes]], bytes]
"""From a file, a generator and other files of its kind to a damaged one."""

_MOST_CHANGES = 6
_HEADER_BYTES = 600  # where formats say how the rest is to be read
_LARGEST = 2**21  # bytes of a damaged file: doubling parts would soon be all there is
_INTEGERS = (0, 1, -1, 2, 127, 128, 255, 32767, 65535, 2**31 - 1, -(2**31), 2**32 - 1, 2**40)
_FURTHER = (2**62, 2**63 - 1, -(2**63))
_TOKENS = tuple(
    b"\0|\n|\r\n|\t|,|;|\"|'|#|-|nan|inf|-inf|n/a|1e999|1e-999|0x10|1_0|99999999999999999999|-1"
    b"|\xff\xfe|\xef\xbb\xbf|\x1b[31m|\xe2\x80\xae|\xc2\x9b|[link=x]|{|}|[|]|null|true|../../x|/"
    b"|%s%n|\xf0\x9f\x98\x80".split(b"|")
)


def blind(data: bytes, rng: Rng, others: Sequence[bytes]) -> bytes:
    """Change some bytes, wherever they are."""
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, _MOST_CHANGES + 1))):
        _CHANGES[int(rng.integers(len(_CHANGES)))](changed, rng, others)
    return bytes(changed[:_LARGEST])


def in_gzip(inner: Mutation) -> Mutation:
    """Damage what is packed in gzip; some changes are of the packing itself."""

    def mutate(data: bytes, rng: Rng, others: Sequence[bytes]) -> bytes:
        content = inner(gzip.decompress(data), rng, [gzip.decompress(other) for other in others])
        return gzip.compress(content, compresslevel=1, mtime=0)

    return mutate


def in_zip(inner: Mutation) -> Mutation:
    """Damage a member of an archive, or which members there are."""

    def mutate(data: bytes, rng: Rng, others: Sequence[bytes]) -> bytes:
        members = _members(data)
        names = list(members)
        name = names[int(rng.integers(len(names)))]
        kind = int(rng.integers(8))
        if kind == 0:
            del members[name]
        elif kind == 1:
            members[blind(name.encode(), rng, [n.encode() for n in names]).decode("latin-1")] = (
                members[name]
            )
        else:
            members[name] = inner(members[name], rng, list(members.values()))
        return _zipped(members, rng)

    return mutate


def in_array_of_text(inner: Mutation) -> Mutation:
    """Damage the text of a .npy file that holds one text, such as what a saved twin says."""

    def mutate(data: bytes, rng: Rng, others: Sequence[bytes]) -> bytes:
        try:
            array = np.load(io.BytesIO(data))
        except ValueError:
            return blind(data, rng, others)
        if array.dtype.kind != "U" or array.ndim:
            return blind(data, rng, others)
        text = inner(str(array).encode(), rng, [])
        buffer = io.BytesIO()
        np.save(buffer, np.array(text.decode("utf-8", "surrogateescape")))
        return buffer.getvalue()

    return mutate


def in_json(seal: Callable[[Any], bytes] = lambda value: json.dumps(value).encode()) -> Mutation:
    """Change values of JSON, which stays JSON; `seal` writes it."""

    def mutate(data: bytes, rng: Rng, others: Sequence[bytes]) -> bytes:
        document = json.loads(data)
        for _ in range(int(rng.integers(1, 4))):
            places = list(_places(document))
            holder, key = places[int(rng.integers(len(places)))]
            kind = int(rng.integers(6))
            if kind == 0:
                del holder[key]
            elif kind == 1 and isinstance(holder, dict):
                holder[str(_odd_value(rng))[:80]] = holder[key]
            elif kind == 2:
                other, its = places[int(rng.integers(len(places)))]
                holder[key] = json.loads(
                    json.dumps(other.get(its) if isinstance(other, dict) else None)
                )
            else:
                holder[key] = _odd_value(rng)
            if not any(True for _ in _places(document)):
                break
        return seal(document)

    return mutate


def in_matlab(inner: Mutation) -> Mutation:
    """Damage the elements of a MATLAB file of version 5, unpacked where they are packed."""

    def mutate(data: bytes, rng: Rng, others: Sequence[bytes]) -> bytes:
        head, at, parts = data[:128], 128, []
        while at + 8 <= len(data):
            kind, size = (int.from_bytes(data[at + i : at + i + 4], "little") for i in (0, 4))
            parts.append((kind, data[at + 8 : at + 8 + size]))
            at += 8 + size
        chosen = int(rng.integers(len(parts)))
        out = [head]
        for number, (kind, content) in enumerate(parts):
            if number == chosen:
                packed = kind == 15
                content = zlib.decompress(content) if packed else content
                content = inner(content, rng, [])
                content = zlib.compress(content, 1) if packed else content
            out.append(kind.to_bytes(4, "little") + len(content).to_bytes(4, "little") + content)
        return b"".join(out)

    return mutate


# ---- blind changes


def _flip(data: bytearray, rng: Rng, others: Sequence[bytes]) -> None:
    if data:
        data[_place(data, rng)] ^= 1 << int(rng.integers(8))


def _overwrite(data: bytearray, rng: Rng, others: Sequence[bytes]) -> None:
    at = _place(data, rng)
    length = int(rng.integers(1, 17))
    data[at : at + length] = rng.bytes(length)


def _put_integer(data: bytearray, rng: Rng, others: Sequence[bytes]) -> None:
    size = int(rng.choice([1, 2, 4, 8]))
    known = _INTEGERS + _FURTHER
    value = int(known[int(rng.integers(len(known)))]) % 256**size
    at = _place(data, rng) // size * size if rng.random() < 0.5 else _place(data, rng)
    order = "little" if rng.random() < 0.7 else "big"
    data[at : at + size] = value.to_bytes(size, order)  # type: ignore[arg-type]


def _put_token(data: bytearray, rng: Rng, others: Sequence[bytes]) -> None:
    at = _place(data, rng)
    token = _TOKENS[int(rng.integers(len(_TOKENS)))]
    replaced = int(rng.integers(0, len(token) + 1))
    data[at : at + replaced] = token * int(rng.choice([1, 1, 1, 2, 40]))


def _remove(data: bytearray, rng: Rng, others: Sequence[bytes]) -> None:
    at = _place(data, rng)
    del data[at : at + _length(data, rng)]


def _repeat(data: bytearray, rng: Rng, others: Sequence[bytes]) -> None:
    at = _place(data, rng)
    part = bytes(data[at : at + _length(data, rng)])
    data[at:at] = part * int(rng.choice([1, 1, 2, 30]))
    del data[_LARGEST:]


def _cut(data: bytearray, rng: Rng, others: Sequence[bytes]) -> None:
    if rng.random() < 0.3:
        del data[_place(data, rng) :]


def _splice(data: bytearray, rng: Rng, others: Sequence[bytes]) -> None:
    other = others[int(rng.integers(len(others)))] if others else bytes(data)
    if other:
        begin = int(rng.integers(len(other)))
        part = other[begin : begin + int(rng.integers(1, 200))]
        at = _place(data, rng)
        data[at : at + len(part)] = part


_CHANGES = (_flip, _flip, _overwrite, _put_integer, _put_token, _remove, _repeat, _cut, _splice)


def _place(data: bytearray, rng: Rng) -> int:
    if not data:
        return 0
    end = min(len(data), _HEADER_BYTES) if rng.random() < 0.5 else len(data)
    return int(rng.integers(end))


def _length(data: bytearray, rng: Rng) -> int:
    return int(rng.integers(1, max(2, min(len(data), int(rng.choice([4, 16, 64, 4096]))))))


# ---- what is packed in what


def _members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zipped(members: dict[str, bytes], rng: Rng) -> bytes:
    buffer = io.BytesIO()
    how = zipfile.ZIP_DEFLATED if rng.random() < 0.5 else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, how)
    return buffer.getvalue()


def _places(value: Any) -> Any:
    """Every place in JSON: its holder and the key or index in it."""
    if isinstance(value, dict):
        for key, item in list(value.items()):
            yield value, key
            yield from _places(item)
    elif isinstance(value, list):
        for index in sorted({0, len(value) // 2, len(value) - 1} & set(range(len(value)))):
            yield value, index
            yield from _places(value[index])


def _odd_value(rng: Rng) -> Any:
    deep: Any = 0
    for _ in range(200):
        deep = [deep]
    values = (
        None, True, False, 0, -1, 1, 2**31, 2**53, 2**64, 10**400, 0.5, -0.0, 1e308, -1e-320,
        "", " ", "x", "nan", "\x1b[31mred", "a\nb", "\u202egnp.exe", "\x9b2J", "\ud800", "x" * 5000,
        "../../etc/passwd", [], {}, [1], [None], ["a", "a"], {"a": 1}, deep, [0] * 3000,
    )  # fmt: skip
    return values[int(rng.integers(len(values)))]
