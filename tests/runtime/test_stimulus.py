"""Stimuli: every channel at the steps where it should be on, and the same for the same file."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from dtb_runtime.errors import UsageError
from dtb_runtime.events import Events, events_from_columns
from dtb_runtime.stimulus import FACE_CODE_SEED, face_code, network_input
from dtb_runtime.tasks import N_INPUTS, SHAPE_CODES, TASKS


def face_pairs() -> set[tuple[str, str]]:
    """Side faces of every default face trial."""
    events = TASKS["hammer"].schedule()
    sides = zip(events.columns["stimLeft"], events.columns["stimRight"], strict=True)
    return {s for s, group in zip(sides, events.trial_group, strict=True) if group == "face"}


def are_told_apart(seed: int) -> bool:
    """Whether the codes of this seed differ by > 0.8 in one number for every pair of sides."""
    return all(
        max(abs(a - b) for a, b in zip(face_code(left, seed), face_code(right, seed), strict=True))
        > 0.8
        for left, right in face_pairs()
    )


def hammer_events() -> Events:
    """One shape trial with a cue, one face trial without."""
    return events_from_columns(
        {
            "onset": [4.0, 8.0],
            "duration": [1.6, 1.6],
            "trial_type": ["shape", "face"],
            "stimLeft": ["oval-horizontal.bmp", "a.jpg"],
            "stimTop": ["circle.BMP", "b.jpg"],
            "stimRight": ["circle.BMP", "b.jpg"],
            "cueStartTime": ["0.8", "n/a"],
            "cueEndTime": ["3.2", "n/a"],
        },
        "hammer",
    )


def stroop_events(onset: list[float], duration: list[float]) -> Events:
    """Trials that show "green" in red, one after the other."""
    n = len(onset)
    return events_from_columns(
        {
            "onset": onset,
            "duration": duration,
            "trial_type": ["inc1"] * n,
            "stimulus_text": ["green"] * n,
            "stimulus_color": ["red"] * n,
        },
        "stroop",
    )


def test_hammer_shows_cue_and_pictures_where_they_belong() -> None:
    events = hammer_events()
    stimulus = TASKS["hammer"].stimulus(events)
    expected = np.zeros((events.n_steps, N_INPUTS), dtype=np.float32)
    expected[10:40, 1] = 1  # "match shapes", 0.8 to 3.2 s
    expected[50:70, 2:8] = [1, 1, 1, 0, 1, 1]  # circle on top, horizontal oval, circle
    expected[100:120, 2:8] = [*face_code("b.jpg"), *face_code("a.jpg"), *face_code("b.jpg")]
    assert stimulus.dtype == np.float32
    np.testing.assert_array_equal(stimulus, expected)


def test_stroop_shows_ink_and_word_for_two_seconds() -> None:
    events = stroop_events([2.0, 6.0], [4.0, 8.0])
    stimulus = TASKS["stroop"].stimulus(events)
    expected = np.zeros((events.n_steps, N_INPUTS), dtype=np.float32)
    expected[:, 8] = 1
    for start in (25, 75):
        expected[start : start + 25, 0] = 1  # red ink
        expected[start : start + 25, 4] = 1  # the word green
    np.testing.assert_array_equal(stimulus, expected)


@pytest.mark.parametrize("duration", [0.32, 1.0, 2.0, 2.25])
def test_the_same_stroop_word_twice_is_two_stimuli(duration: float) -> None:
    onset = [2.0 + duration * i for i in range(6)]
    events = stroop_events(onset, [duration] * 6)
    ink = TASKS["stroop"].stimulus(events)[:, 0]
    starts = np.flatnonzero(np.diff(ink, prepend=0) == 1)
    np.testing.assert_array_equal(starts, events.onset_step)
    last_on = np.flatnonzero(np.diff(ink) == -1)[:-1]
    blank = events.onset_step[1:] - last_on - 1
    assert blank.min() >= 3


def test_every_default_stimulus_stays_in_range() -> None:
    for task in TASKS.values():
        stimulus = task.stimulus(task.schedule())
        assert stimulus.shape == (task.schedule().n_steps, N_INPUTS)
        assert stimulus.min() == 0 and stimulus.max() <= 1
        assert set(stimulus[:, 8]) == {task.flag}
        with pytest.raises(ValueError, match="read-only"):
            stimulus[0, 0] = 1


def test_pictures_are_on_in_the_steps_of_their_trials_only() -> None:
    events = TASKS["hammer"].schedule()
    is_on = TASKS["hammer"].stimulus(events)[:, 2:8].any(axis=1)
    expected = np.zeros(events.n_steps, dtype=bool)
    for first, last in zip(events.onset_step, events.offset_step, strict=True):
        expected[first:last] = True
    np.testing.assert_array_equal(is_on, expected)


def test_default_hammer_cues_each_block_by_its_kind() -> None:
    events = TASKS["hammer"].schedule()
    cues = TASKS["hammer"].stimulus(events)[:, :2]
    starts = np.argwhere(np.diff(cues, axis=0, prepend=0) == 1)
    # Shapes first, and alternating: channel 1, 0, 1, 0, ...
    assert starts[:, 1].tolist() == [1, 0] * 9
    first_trials = events.onset_step[::6]
    assert np.all(starts[:, 0] < first_trials)
    assert np.all(first_trials - starts[:, 0] < 45)


def test_the_same_events_give_the_same_stimulus() -> None:
    task = TASKS["hammer"]
    events = task.schedule()
    first, second = task.stimulus(events), task.stimulus(events)
    np.testing.assert_array_equal(first, second)
    # Bundles were trained on these numbers: a change of the encoder must be a decision.
    digests = {
        name: hashlib.sha256(t.stimulus(t.schedule()).astype("<f4").tobytes()).hexdigest()[:16]
        for name, t in TASKS.items()
    }
    assert digests == {"hammer": "592be30e15401ee2", "stroop": "ae41a464817ebf70"}


def test_a_task_refuses_the_events_of_another() -> None:
    with pytest.raises(
        UsageError, match=r"hammer\.tsv holds events of the task 'hammer'.*as 'stroop'"
    ):
        TASKS["stroop"].stimulus(TASKS["hammer"].schedule())


def test_a_face_is_two_numbers_near_0_or_1() -> None:
    codes = np.array([face_code(f"face_{i}.jpg") for i in range(2000)])
    is_low, is_high = codes <= 0.1, codes >= 0.9
    assert np.all(is_low | is_high)
    assert codes.min() >= 0 and codes.max() <= 1
    # All four corners, about equally often: 500 each, SD 19.
    corner = is_high[:, 0] * 2 + is_high[:, 1]
    assert np.all(np.abs(np.bincount(corner) - 500) < 80)
    # Uniform inside: mean of the low ones 0.05, SD of that mean about 0.0009.
    assert abs(codes[is_low].mean() - 0.05) < 0.004
    assert abs(codes[is_high].mean() - 0.95) < 0.004


def test_a_face_code_follows_from_its_name_alone() -> None:
    assert face_code("FAZ_23.jpg") == face_code("FAZ_23.jpg")
    assert face_code("FAZ_23.jpg") != face_code("FAZ_24.jpg")
    digest = hashlib.sha256(f"{FACE_CODE_SEED}:FAZ_23.jpg".encode()).digest()
    first = int.from_bytes(digest[:8], "big") / 2**64
    expected = 0.1 * (2 * first) if first < 0.5 else 0.9 + 0.1 * (2 * first - 1)
    assert face_code("FAZ_23.jpg")[0] == pytest.approx(expected, abs=1e-15)


def test_the_seed_is_the_smallest_that_tells_all_side_faces_apart() -> None:
    assert are_told_apart(FACE_CODE_SEED)
    assert not any(are_told_apart(seed) for seed in range(FACE_CODE_SEED))


def test_shapes_are_told_apart() -> None:
    assert len(set(SHAPE_CODES.values())) == len(SHAPE_CODES) == 3
    assert (0.0, 0.0) not in SHAPE_CODES.values()  # would look like an empty screen


def test_the_network_sees_the_stimulus_one_step_late() -> None:
    stimulus = TASKS["stroop"].stimulus(TASKS["stroop"].schedule())
    delayed = network_input(stimulus)
    assert delayed.dtype == np.float32 and delayed.flags.c_contiguous
    assert not delayed[0].any()
    np.testing.assert_array_equal(delayed[1:], stimulus[:-1])
