"""Tokens of the service: which files are taken, what a request must bring, and where it must."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dtb_runtime.errors import DataError, UsageError
from dtb_runtime.service_limits import ServiceLimits
from dtb_runtime.service_tokens import Tokens, check_exposure, is_loopback

ONE, OTHER = "0123456789abcdef", "another-token-of-ours"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(f"# of the study\n{ONE}\n\n  {OTHER}  \n", encoding="utf-8")
    path.chmod(0o600)
    return path


def test_a_request_must_bring_one_of_the_tokens(file: Path) -> None:
    tokens = Tokens.read(file)
    assert tokens.allow(b"Bearer " + ONE.encode())
    assert tokens.allow(b"bearer  " + OTHER.encode() + b" ")
    for given in (None, b"", b"Bearer", b"Bearer ", ONE.encode(), b"Basic " + ONE.encode()):
        assert not tokens.allow(given), given
    for given in (ONE[:-1], ONE + "0", ONE.upper(), f"{ONE} {OTHER}", "# of the study"):
        assert not tokens.allow(b"Bearer " + given.encode()), given


def test_what_is_kept_does_not_show_the_tokens(file: Path) -> None:
    assert ONE not in repr(Tokens.read(file))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("short\n", "line 1: a token has at least 16 printable ASCII characters"),
        (f"{ONE}\nsixteen-letters-\u00fc\n", "line 2: a token has at least 16 printable ASCII"),
        ("two words in one line\n", "line 1: a token holds no blanks"),
        ("# nothing else\n\n", "holds 0 tokens, expected 1 to 1000"),
        (f"{ONE}\n" * 1001, "holds 1001 tokens"),
        ("", "is empty"),
    ],
)
def test_a_file_that_holds_no_good_tokens_is_refused(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "tokens"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(DataError, match=message):
        Tokens.read(path)


@pytest.mark.skipif(os.name != "posix", reason="file modes are a POSIX matter")
@pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o640, 0o644])
def test_a_file_that_others_may_read_is_refused(mode: int, file: Path) -> None:
    file.chmod(mode)
    with pytest.raises(DataError, match=rf"mode {mode:04o}\)\. Make it its owner's alone"):
        Tokens.read(file)


@pytest.mark.skipif(os.name != "posix", reason="file modes are a POSIX matter")
def test_a_mounted_secret_of_root_may_be_readable_by_a_group(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if file.stat().st_uid != 0:
        pytest.skip("only root can make a file of root")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    file.chmod(0o440)
    assert Tokens.read(file).allow(b"Bearer " + ONE.encode())
    file.chmod(0o460)
    with pytest.raises(DataError, match="mode 0460"):
        Tokens.read(file)


def test_no_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no file at"):
        Tokens.read(tmp_path / "none")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_this_machine_alone_may_ask_without_tokens(host: str) -> None:
    assert is_loopback(host)
    check_exposure(host, has_tokens=False, insecure=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org", ""])
def test_others_need_tokens_or_the_word_of_whoever_serves(host: str) -> None:
    with pytest.raises(UsageError, match="Give --token-file"):
        check_exposure(host, has_tokens=False, insecure=False)
    check_exposure(host, has_tokens=True, insecure=False)
    check_exposure(host, has_tokens=False, insecure=True)


@pytest.mark.parametrize("name", ServiceLimits.__slots__)
def test_a_limit_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"limit {name} must be above 0, found 0"):
        ServiceLimits(**{name: 0})


def test_less_than_one_body_for_all_of_them_is_refused() -> None:
    with pytest.raises(UsageError, match="may hold 10 bytes, but a single body may have 11"):
        ServiceLimits(body_bytes=11, held_bytes=10)
