"""Participant ids replaced by keyed hashes: the same with one key, and nothing else tells who."""

from __future__ import annotations

import json
import os
import pickle
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.bundle import Bundle
from dtb_runtime.cohort_entry import CohortEntry
from dtb_runtime.cohort_listing import CohortListing, list_cohort
from dtb_runtime.cohort_run import score_cohort
from dtb_runtime.errors import OutputError, UsageError
from dtb_runtime.hashed_ids import (
    hashed,
    hashed_id,
    ids_in_columns,
    key_fingerprint,
    read_key,
)
from dtb_runtime.hidden_names import HiddenNames, unnamed
from dtb_runtime.scored_person import file_stamp, stamp_of
from dtb_runtime.scoring import ScoreSettings

KEY = b"a secret of 20 bytes"
OTHER_KEY = b"another secret, as long"
SHOWN = re.compile(r"sub-[0-9a-f]{16}")
People = Callable[[int], NDArray[np.float64]]


@pytest.fixture
def table(people: People, tmp_path: Path) -> Path:
    """A cohort of good and bad people under names of files that tell who they are."""
    folder = tmp_path / "Hospital"
    (folder / "Doe_Jane").mkdir(parents=True)
    rng = np.random.default_rng(2)
    rows = []

    def add(who: str, name: str, content: object, session: str = "1") -> None:
        path = folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            np.save(path, content)
        rows.append(f"{who}\t{name}\t{session}\t{30 + len(rows)}\tF\tx{len(rows)}")

    add("sub-MRN4711", "sub-MRN4711_atlas-other_connectome.npy", people(0))
    add("sub-MRN4711", "sub-MRN4711_ses-2.npy", people(1), session="2")
    add("MRN4712", "smith_john.npy", people(2))
    add("MRN4713", "Doe_Jane/connectome.npy", b"broken")
    add("MRN4714", "lost_MRN4714.npy", None)
    add("MRN4715", "small_MRN4715.npy", people(4)[:5, :5])
    add("Mr Miller", "miller.npy", people(5))
    add("MRN4716", "", None)
    add("MRN4717", "twice_MRN4717.npy", people(6))
    add("MRN4717", "twice_MRN4717.npy", people(6))
    add("MRN4718", "nan_MRN4718.npy", np.full((12, 12), np.nan))
    add("MRN4719", "MRN4719.what", people(6))
    add("7", "7.npy", people(7))
    add("8", "8.tsv", b"sub-8\tother\n1\t2\n")
    add("MRN4720", "series MRN4720.npy", rng.standard_normal((8, 12)))
    path = folder / "cohort.tsv"
    header = "participant_id\tpath\tsession\tage\tsex\tgroup"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


SECRETS = (b"MRN47", b"smith", b"Smith", b"Miller", b"miller", b"Doe", b"sub-7", b"sub-8", b"7.npy")


def found_secrets(folder: Path, more: tuple[bytes, ...] = ()) -> list[tuple[str, bytes]]:
    """Where something of the people stands in a folder: names of files, and their content."""
    found = []
    for path in [folder, *folder.rglob("*")]:
        content = os.fsencode(path.relative_to(folder))
        if path.is_file():
            content += b"\n" + path.read_bytes()
        if path.suffix == ".parquet":  # which is compressed
            from pyarrow import parquet

            content += repr(parquet.read_table(path).to_pylist()).encode()
        clean = SHOWN.sub("", content.decode("latin-1")).encode("latin-1")
        found += [(path.name, secret) for secret in (*SECRETS, *more) if secret in clean]
    return found


def test_an_id_is_the_hmac_that_openssl_gives() -> None:
    # printf %s sub-01 | openssl dgst -sha256 -hmac "a secret of 20 bytes"
    assert hashed_id("sub-01", KEY) == "sub-09ebb5dd35bcbae8"
    assert hashed_id("sub-01", OTHER_KEY) != hashed_id("sub-01", KEY)
    assert key_fingerprint(KEY) != key_fingerprint(OTHER_KEY)


def test_one_key_gives_the_same_ids_in_any_cohort_and_their_order(table: Path) -> None:
    before = list_cohort(table)
    listing = hashed(before, KEY)
    ids = [entry.participant_id for entry in listing.entries]
    assert ids == sorted(ids)
    expected = {hashed_id(entry.participant_id, KEY) for entry in before.entries}
    assert set(ids) == expected
    assert hashed_id("sub-MRN4711", KEY) in expected
    of_two = [e for e in listing.entries if e.participant_id == hashed_id("sub-MRN4711", KEY)]
    assert [entry.session for entry in of_two] == ["ses-1", "ses-2"]
    assert all(SHOWN.fullmatch(who) for who in ids)
    one = replace(before, path=before.path.with_name("other.tsv"), entries=before.entries[:3])
    assert {e.participant_id for e in hashed(one, KEY).entries} <= expected
    assert hashed(before, KEY) == listing
    with pytest.raises(UsageError, match="hashed already"):
        hashed(listing, KEY)


def test_whoever_guesses_a_name_cannot_find_it_in_what_is_kept(table: Path) -> None:
    before = list_cohort(table)
    entries = {e.participant_id: e for e in hashed(before, KEY).entries if e.session == "ses-1"}
    others = {e.participant_id: e for e in hashed(before, OTHER_KEY).entries}
    plain = next(entry for entry in before.entries if entry.participant_id == "sub-7")
    entry = entries[hashed_id("sub-7", KEY)]
    # All that is kept but the key, and the right guess of id and file: the digest differs.
    guess = CohortEntry(entry.participant_id, entry.session, plain.path, entry.own)
    assert guess.digest() != entry.digest()
    assert others[hashed_id("sub-7", OTHER_KEY)].digest() != entry.digest()
    assert plain.path is not None
    stamp = file_stamp(plain.path)
    assert stamp is not None
    assert stamp_of(plain) == stamp
    sealed = stamp_of(entry)
    assert sealed is not None
    assert not set(sealed) & set(stamp)
    assert all(0 <= number < 2**62 for number in sealed)
    assert stamp_of(entry) == sealed
    os.utime(plain.path, ns=(0, stamp[1] + 1))
    assert stamp_of(entry) != sealed


def test_a_listing_says_neither_who_nor_where(table: Path) -> None:
    listing = hashed(list_cohort(table), KEY)
    assert listing.about().keys() == {"cohort", "ids_hashed_with"}
    assert "Hospital" not in json.dumps(listing.about())
    assert listing.about() != hashed(list_cohort(table), OTHER_KEY).about()
    for entry in listing.entries:
        assert listing.place(entry) is None
        said = SHOWN.sub("", f"{entry.label} {entry.problem}").encode()
        assert not [secret for secret in SECRETS if secret in said]
        # A cluster's log has the arguments of a call that failed.
        assert repr(entry) == "CohortEntry()"
        assert pickle.loads(pickle.dumps(entry)) == entry  # noqa: S301  (it goes to workers)
    problems = [entry.problem for entry in listing.entries if entry.problem]
    assert len(problems) == 3
    assert any(re.search(r"'sub-[0-9a-f]{16}' is no participant id", p) for p in problems)
    assert any(re.search(r"sub-[0-9a-f]{16}_ses-1 stands 2 times", p) for p in problems)


def hidden(path: str, who: str = "sub-01", named: tuple[str, ...] = ()) -> HiddenNames:
    return HiddenNames.of(CohortEntry(who, None, Path(path), named=named), "sub-X", b"salt")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sub-01_conn.npy is empty.", "sub-X.npy is empty."),
        (
            "There is no file at /d/a b/sub-01_conn.npy. Check.",
            "There is no file at sub-X.npy. Check.",
        ),
        ("sub-01: sub-01_bold.json is missing.", "sub-X: sub-X_bold.json is missing."),
        ("/d/a b/confounds.tsv has no rows.", "confounds.tsv has no rows."),
        ("sub-012 and SUB-01 and sub-9", "sub-(hidden) and sub-X and sub-(hidden)"),
        ("with or without sub- before them, 01 x 01", "with or without sub- before them, 01 x 01"),
        ("sub-01_conn is 5 x 5; sub-01_conn_x", "sub-X_conn is 5 x 5; sub-X_x"),
    ],
)
def test_names_are_replaced_and_nothing_else(text: str, told: str) -> None:
    assert hidden("/d/a b/sub-01_conn.npy").told(text) == told


def test_labels_of_four_characters_and_files_that_a_problem_names_are_replaced() -> None:
    of_label = hidden("/d/10159.npy", "sub-10159", named=("a/Jane Doe.npy", "b.npy"))
    text = "There are 2 files: a/Jane Doe.npy, b.npy; 10159 is not 101590."
    assert of_label.told(text) == "There are 2 files: sub-X.npy, sub-X.npy; sub-X is not 101590."
    generic = hidden("/d/7/connectome.npy", "sub-7")
    text = "connectome.npy is 7 x 5, but a connectome is square. connectome.json too."
    told = "sub-X.npy is 7 x 5, but a connectome is square. sub-X.json too."
    assert generic.told(text) == told
    odd = hidden("/d/x.npy", "it's \\ (a) [?")
    assert odd.told(f"{odd.words[0]!r} is no id") == '"sub-X" is no id'


def test_a_connectome_does_not_say_where_it_came_from(people: People) -> None:
    from dtb_runtime.connectome import Connectome

    found = Connectome.from_matrix(people(1), source="sub-01.npy")
    found = replace(found, notes=("sub-01.npy has a diagonal of zeros.",))
    entry = CohortEntry("sub-X", None, Path("/d/sub-01.npy"))
    assert unnamed(found, entry) is found
    told = unnamed(found, replace(entry, hidden=hidden("/d/sub-01.npy")))
    assert told.source == "sub-X"
    assert told.notes == ("sub-X.npy has a diagonal of zeros.",)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"short", "has 5 bytes, expected at least 16"),
        (b"0" * 40, "repeats a few bytes, so it is no secret"),
        (bytes(range(256)) * 17, "more than 4096 bytes"),
        (b"\n" * 30, "has 0 bytes"),
        (None, "There is no key: There is no file at"),
    ],
)
def test_what_is_no_secret_is_refused(content: bytes | None, match: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(UsageError, match=match) as raised:
        read_key(tmp_path / "key")
    assert "Make one with: python3 -c 'import secrets" in str(raised.value)


def test_a_key_lies_apart_and_a_line_break_does_not_count(tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "people").mkdir(parents=True)
    for end in (b"", b"\n", b"\r\n"):
        (tmp_path / "key").write_bytes(KEY + end)
        assert read_key(tmp_path / "key", apart_from=out) == KEY
    (out / "people" / "key").write_bytes(KEY)
    with pytest.raises(UsageError, match="lies in the folder of the results"):
        read_key(out / "people" / "key", apart_from=out)
    with pytest.raises(UsageError, match="at least 16"):
        hashed(CohortListing(tmp_path, "x", ()), b"short")


def test_own_columns_that_give_ids_away_are_found(table: Path) -> None:
    before = list_cohort(table)
    assert ids_in_columns(before) == {}
    cells = ("sub-MRN4711", "mrn4712", "7", "file of sub-8", "x")
    own = [
        replace(entry, own={"group": cell, "sex": "F"})
        for entry, cell in zip(before.entries[-5:], cells, strict=True)
    ]
    listing = replace(before, entries=(*before.entries[:-5], *own))
    assert ids_in_columns(listing)["group"] == 2
    by_id = {entry.participant_id: entry for entry in before.entries}
    telling = replace(by_id["sub-8"], own={"note": "file of sub-8"})
    assert ids_in_columns(replace(before, entries=(telling,))) == {"note": 1}


@pytest.mark.parametrize("files", [False, True])
def test_nothing_of_a_scored_cohort_tells_who_it_is(
    tiny: Bundle, table: Path, tmp_path: Path, files: bool
) -> None:
    out = tmp_path / "out"
    settings = ScoreSettings(files=str(out / "people") if files else None)
    listing = hashed(list_cohort(table), KEY)
    run = score_cohort(tiny, listing, out, settings)
    assert (run.n_people, run.n_failed) == (14, 10)
    assert found_secrets(out, (b"Hospital",)) == []
    assert not [secret for secret in SECRETS if secret in run.first_error.encode()]
    lines = (out / "cohort.tsv").read_text(encoding="utf-8").splitlines()
    rows = [dict(zip(lines[0].split("\t"), line.split("\t"), strict=True)) for line in lines[1:]]
    assert {row["path"] for row in rows} == {"n/a"}
    by_id = {row["participant_id"]: row for row in rows}
    plain = score_cohort(tiny, list_cohort(table), tmp_path / "plain")
    assert plain.n_failed == run.n_failed
    # Sentences still say what is wrong.
    assert by_id[hashed_id("sub-MRN4715", KEY)]["error"].startswith("sub-")
    assert "is 5 x 5, but this bundle needs" in by_id[hashed_id("sub-MRN4715", KEY)]["error"]
    assert "There is no file at sub-" in by_id[hashed_id("sub-MRN4714", KEY)]["error"]
    if files:
        people = {path.name for path in (out / "people").iterdir()}
        assert people == {row["participant_id"] for row in rows if row["status"] == "ok"}
    again = score_cohort(tiny, hashed(list_cohort(table), KEY), out, settings)
    assert again.n_before == 13  # whose id is none is tried again, as without hashing
    # A file that changes is scored again under the same id.
    changed = table.with_name("7.npy")
    np.save(changed, np.load(changed)[::-1, ::-1])
    again = score_cohort(tiny, hashed(list_cohort(table), KEY), out, settings)
    assert again.n_before == 12
    assert found_secrets(out, (b"Hospital",)) == []


def test_a_folder_of_plain_ids_or_of_another_key_is_not_gone_on_with(
    tiny: Bundle, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    plain = list_cohort(table)
    score_cohort(tiny, plain, out)
    assert found_secrets(out)
    with pytest.raises(OutputError, match=r"another run .*ids_hashed_with"):
        score_cohort(tiny, hashed(plain, KEY), out)
    score_cohort(tiny, hashed(plain, KEY), out, force=True)
    assert found_secrets(out) == []
    with pytest.raises(OutputError, match=r"another run .*ids_hashed_with"):
        score_cohort(tiny, hashed(plain, OTHER_KEY), out)
    with pytest.raises(OutputError, match="another run"):
        score_cohort(tiny, plain, out)


def test_a_bids_tree_with_doubtful_files_does_not_tell_either(
    tiny: Bundle, people: People, tmp_path: Path
) -> None:
    tree = tmp_path / "tree"
    for name in (
        "sub-MRN4711/func/sub-MRN4711_relmat.npy",
        "sub-MRN4712/Doe Jane.npy",
        "sub-MRN4712/Miller.npy",
        "sub-MRN4713/ses-1/sub-MRN4714_relmat.npy",
        "sub-MRN4715/sub-MRN4715_task-rest_bold.json",
        "sub-a b/x.npy",
    ):
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            np.save(file, people(1))
    out = tmp_path / "out"
    run = score_cohort(tiny, hashed(list_cohort(tree), KEY), out)
    assert (run.n_people, run.n_failed) == (5, 4)
    assert found_secrets(out, (b"a b", b"x.npy")) == []
    errors = (out / "cohort.tsv").read_text(encoding="utf-8")
    assert "There are 2 files: sub-" in errors


def test_a_label_that_is_a_word_does_not_garble_sentences_and_tell_itself() -> None:
    told = hidden("/d/sub-fisher.npy").told("sub-fisher.npy: this looks like Fisher z: --fisher-z.")
    assert told == "sub-X.npy: this looks like Fisher z: --fisher-z."
