"""`dtb-run calibrate` does what the runtime does, and says what the trials changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime import load_bundle
from dtb_runtime.seen_trials import seen_trials
from dtb_runtime.summary import summary
from dtb_runtime.twin import Twin

Run = Callable[..., Any]
Matrix = NDArray[np.float64]
pytestmark = pytest.mark.usefixtures("few_draws")

HEADER = (
    "onset\tduration\ttrial_type\tstimulus_text\tstimulus_color\tresponse_time\t"
    "accuracy_binarized\n"
)


def stroop_rows(n_trials: int, time_s: float, *, first: int = 0) -> list[str]:
    """Trials of a person who takes so long, misses every tenth and errs in every fifth."""
    rows = []
    for trial in range(first, first + n_trials):
        kind, word, color = [
            ("con1", "red", "red"),
            ("inc1", "red", "green"),
            ("con2", "blue", "blue"),
        ][trial % 3]
        answer = "n/a\t0" if trial % 10 == 9 else f"{time_s}\t{int(trial % 5 != 4)}"
        rows.append(f"{2 + 4 * trial}\t3.0\t{kind}\t{word}\t{color}\t{answer}\n")
    return rows


@pytest.fixture
def observed(tmp_path: Path) -> Path:
    """Twenty trials of a slow person."""
    path = tmp_path / "sub-01_task-stroop_events.tsv"
    path.write_text(HEADER + "".join(stroop_rows(20, 1.4)), encoding="utf-8")
    return path


def _calibrated(correlations: Matrix, bundle: Path, observed: Path) -> tuple[Twin, Twin]:
    twin = load_bundle(bundle, device="cpu").personalize(correlations, participant_id="01")
    return twin, twin.calibrate(observed)


def _summary(twin: Twin) -> dict[str, Any]:
    return summary(twin, [twin.forecast(task) for task in ("hammer", "stroop")])


def test_json_is_the_runtimes_summary_before_and_after(
    dtb_run: Run, connectome: Path, correlations: Matrix, observed: Path, tiny: Path
) -> None:
    done = dtb_run("calibrate", connectome, "--events", observed, "--bundle", tiny, "--json")
    assert done.code == 0, done.err
    assert done.err == ""
    result = json.loads(done.out)
    before, after = _calibrated(correlations, tiny, observed)
    first, then = _summary(before), _summary(after)
    learned = result.pop("learned")
    assert result.pop("seen") == [each.to_json() for each in seen_trials(after)]
    assert result.pop("before") == {
        key: first[key] for key in ("calibration", "indicators", "indicator_intervals")
    }
    assert result == then
    assert result["calibration"]["trials_by_task"] == {"stroop": 20}
    assert result["calibration"]["answered"] == 18
    # A slow person: the forecast is slower now.
    name = "reaction_time:stroop"
    assert then["indicators"][name] > first["indicators"][name]
    assert before.posterior is not None
    assert after.posterior is not None
    ratio = np.linalg.det(after.posterior.covariance) / np.linalg.det(before.posterior.covariance)
    assert learned["spread_left"] == pytest.approx(ratio ** (1 / 6), abs=1e-4)
    assert learned["spread_left"] < 1.0
    assert learned["log_likelihood"] > learned["prior_log_likelihood"]
    assert learned["converged"] is True


def test_the_summary_on_disk_holds_what_is_printed(
    dtb_run: Run, connectome: Path, observed: Path, tiny: Path, tmp_path: Path
) -> None:
    out = tmp_path / "calibrated"
    given = ("calibrate", connectome, "--events", observed, "--bundle", tiny, "--out", out)
    done = dtb_run(*given, "--json")
    assert done.code == 0, done.err
    (file,) = out.glob("*_desc-twin_summary.json")
    written, printed = json.loads(file.read_text(encoding="utf-8")), json.loads(done.out)
    assert written == printed
    assert {"before", "learned", "seen"} <= set(written)


def test_the_tables_show_before_and_after(
    dtb_run: Run, connectome: Path, correlations: Matrix, observed: Path, tiny: Path
) -> None:
    done = dtb_run("calibrate", connectome, "--events", observed, "--bundle", tiny)
    assert done.code == 0, done.err
    cells = []
    for twin in _calibrated(correlations, tiny, observed):
        made = _summary(twin)
        low, high = made["indicator_intervals"]["stroop_effect"]
        value = made["indicators"]["stroop_effect"]
        cells += [f"{value:.3f}", f"{low:.3f}", "to", f"{high:.3f}"]
    lines = [line.split() for line in done.out.splitlines()]
    assert ["stroop_effect", *cells] in lines
    assert ["indicator", "before", "90", "%", "after", "90", "%"] in lines
    assert ["task", "trial", "type", "accuracy", "90", "%", "time", "(s)", "90", "%"] in lines
    seen = seen_trials(_calibrated(correlations, tiny, observed)[1])[-1]
    means = (seen.accuracy, seen.forecast_accuracy)
    means += (seen.response_time_s, seen.forecast_response_time_s)
    assert ["stroop", "all", "20", "18", *(f"{mean:.3f}" for mean in means)] in lines
    assert "% of the doubt about this person" in done.out
    sentence = "This twin learned from 20 trials of stroop (18 answered), and from the connectome."
    assert sentence in done.out
    assert "Warning: " in done.out
    assert done.out.isascii()


def test_trials_alone_are_enough(dtb_run: Run, observed: Path, tiny: Path) -> None:
    done = dtb_run("calibrate", "--events", observed, "--bundle", tiny, "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["participant_id"] == "sub-01"
    assert result["calibration"]["prior"] == "population"
    assert result["strangeness"] is None
    assert "Neither a connectome nor a trial" in result["before"]["calibration"]["sentence"]
    after = load_bundle(tiny, device="cpu").population_twin().calibrate(observed)
    assert result["indicators"] == _summary(after)["indicators"]


def test_without_trials_before_and_after_are_the_same(
    dtb_run: Run, connectome: Path, tiny: Path
) -> None:
    done = dtb_run("calibrate", connectome, "--bundle", tiny)
    assert done.code == 0, done.err
    assert "There was no trial to learn from" in done.out
    result = json.loads(dtb_run("calibrate", connectome, "--bundle", tiny, "--json").out)
    assert result["learned"] is None
    assert result["before"]["indicators"] == result["indicators"]
    plain = json.loads(dtb_run("predict", connectome, "--bundle", tiny, "--json").out)
    assert {key: result[key] for key in plain} == plain


def test_until_leaves_later_trials_out(
    dtb_run: Run, connectome: Path, observed: Path, tiny: Path, tmp_path: Path
) -> None:
    """Trials begin every 4 s from 2 s on: 12 of them before 50 s."""
    part = tmp_path / "part" / observed.name
    part.parent.mkdir()
    part.write_text(HEADER + "".join(stroop_rows(12, 1.4)), encoding="utf-8")
    arguments = ("calibrate", connectome, "--bundle", tiny, "--json")
    cut = json.loads(dtb_run(*arguments, "--events", observed, "--until", "50").out)
    assert cut == json.loads(dtb_run(*arguments, "--events", part).out)
    assert cut["calibration"]["trials"] == 12
    none = dtb_run(*arguments, "--events", observed, "--until", "2")
    assert none.code == 2
    assert "No trial of sub-01_task-stroop_events.tsv begins before --until 2" in none.err
    assert "the first begins at 2 s" in none.err


def test_one_block_after_the_other_is_the_same_as_both(
    dtb_run: Run, connectome: Path, observed: Path, tiny: Path, tmp_path: Path
) -> None:
    blocks = []
    for number, rows in enumerate((stroop_rows(10, 1.4), stroop_rows(10, 1.4, first=10))):
        blocks.append(tmp_path / f"sub-01_task-stroop_desc-block{number}_events.tsv")
        blocks[-1].write_text(HEADER + "".join(rows), encoding="utf-8")
    arguments = ("--bundle", tiny, "--json")
    saved = tmp_path / "sub-01_twin.npz"
    first = dtb_run("calibrate", connectome, "--events", blocks[0], "--save", saved, *arguments)
    assert first.code == 0, first.err
    assert f"Saved the twin in {saved}." not in first.out  # JSON stays JSON
    then = dtb_run("calibrate", "--twin", saved, "--events", blocks[1], *arguments)
    assert then.code == 0, then.err
    both = dtb_run(
        "calibrate", connectome, "--events", blocks[0], "--events", blocks[1], *arguments
    )
    whole = dtb_run("calibrate", connectome, "--events", observed, *arguments)
    results = [json.loads(done.out) for done in (then, both, whole)]
    for result in results[1:]:
        assert result["indicators"] == pytest.approx(results[0]["indicators"], rel=1e-3)
        assert result["calibration"] == results[0]["calibration"]
    before = results[0]["before"]["indicators"]
    assert before == pytest.approx(json.loads(first.out)["indicators"])
    assert results[0]["before"]["calibration"]["trials"] == 10


def test_what_is_written_is_what_predict_writes_of_the_saved_twin(
    dtb_run: Run, connectome: Path, observed: Path, tiny: Path, tmp_path: Path
) -> None:
    saved = tmp_path / "sub-01_twin.npz"
    arguments = ("--bundle", tiny, "--device", "cpu")
    done = dtb_run(
        "calibrate",
        *(connectome, "--events", observed, "--save", saved, "--out", tmp_path / "one", *arguments),
    )
    assert done.code == 0, done.err
    assert f"Saved the twin in {saved}.\nWrote 13 files to {tmp_path / 'one'}.\n" == done.err
    again = dtb_run("predict", "--twin", saved, "--out", tmp_path / "other", *arguments)
    assert again.code == 0, again.err
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "other").iterdir())
    for name in names:
        one, other = ((tmp_path / folder / name).read_bytes() for folder in ("one", "other"))
        if name.endswith("_summary.json"):  # only who saw the twin learn knows what it was before
            learned, own = json.loads(one), json.loads(other)
            assert set(learned) - set(own) == {"before", "learned", "seen"}
            assert {key: learned[key] for key in own} == own
        else:
            assert one == other, name


def test_a_saved_twin_is_not_overwritten_without_force(
    dtb_run: Run, connectome: Path, observed: Path, tiny: Path, tmp_path: Path
) -> None:
    saved, out = tmp_path / "twin.npz", tmp_path / "out"
    saved.write_text("mine", encoding="utf-8")
    arguments = ("calibrate", connectome, "--events", observed, "--bundle", tiny, "--save", saved)
    done = dtb_run(*arguments, "--out", out)
    assert done.code == 1
    assert "twin.npz exists already" in done.err
    assert "--force" in done.err
    assert saved.read_text(encoding="utf-8") == "mine"
    assert not out.exists()
    assert dtb_run(*arguments, "--force").code == 0
    assert load_bundle(tiny, device="cpu").load_twin(saved).participant_id == "sub-01"


def test_files_of_two_people_are_refused(
    dtb_run: Run, connectome: Path, observed: Path, tiny: Path, tmp_path: Path
) -> None:
    other = observed.rename(tmp_path / "sub-02_task-stroop_events.tsv")
    arguments = ("calibrate", connectome, "--events", other, "--bundle", tiny, "--json")
    done = dtb_run(*arguments)
    assert done.code == 2
    assert "sub-01_connectome.npy is of sub-01, but sub-02_task-stroop_events.tsv of sub-02" in (
        done.err
    )
    named = dtb_run(*arguments, "--participant-label", "03")
    assert json.loads(named.out)["participant_id"] == "sub-03"
    saved = tmp_path / "sub-02_twin.npz"  # the file's name says nothing: the twin knows
    assert dtb_run("calibrate", connectome, "--bundle", tiny, "--save", saved).code == 0
    done = dtb_run("calibrate", "--twin", saved, "--events", other, "--bundle", tiny)
    assert done.code == 2
    assert "sub-02_twin.npz is of sub-01, but sub-02_task-stroop_events.tsv of sub-02" in done.err


def test_the_task_can_be_told(
    dtb_run: Run, connectome: Path, observed: Path, tiny: Path, tmp_path: Path
) -> None:
    unnamed = observed.rename(tmp_path / "recorded.tsv")
    arguments = ("calibrate", connectome, "--events", unnamed, "--bundle", tiny, "--json")
    inferred = json.loads(dtb_run(*arguments).out)  # its columns are those of stroop alone
    told = json.loads(dtb_run(*arguments, "--task", "stroop").out)
    assert told == inferred
    wrong = dtb_run(*arguments, "--task", "hammer")
    assert wrong.code == 1
    assert "stimLeft" in wrong.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "There is nobody to calibrate"),
        (("--events", "none.tsv"), 1, "none.tsv"),
        (("--events", "{observed}", "--age", "30"), 2, "Add --sex"),
        (("--events", "{observed}", "--task", "hamer"), 2, "Did you mean 'hammer'"),
        (("--events", "{schedule}"), 1, "has no column 'response_time'"),
        (("--events", "{observed}", "--events", "{observed}"), 2, "hold the same trials"),
        (("--events", "{observed}", "--out", "o", "--participant-label", "../x"), 2, "letters"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: tuple[str, ...],
    code: int,
    message: str,
    dtb_run: Run,
    observed: Path,
    tiny: Path,
    tmp_path: Path,
) -> None:
    schedule = tmp_path / "sub-01_task-stroop_desc-schedule_events.tsv"
    text = observed.read_text(encoding="utf-8")
    lines = ["\t".join(line.split("\t")[:5]) for line in text.splitlines()]
    schedule.write_text("\n".join(lines) + "\n", encoding="utf-8")
    files = {"{observed}": observed, "{schedule}": schedule}
    given = [files.get(argument, argument) for argument in arguments]
    done = dtb_run("calibrate", *given, "--bundle", tiny)
    assert done.code == code, done.err
    assert message in done.err
    assert done.out == ""
    assert done.err.count("\n") == 1


def test_a_bundle_without_latent_cannot_learn(
    dtb_run: Run, connectome: Path, observed: Path, tiny: Path
) -> None:
    plain = tiny.parent / "tiny_plain"
    done = dtb_run("calibrate", connectome, "--events", observed, "--bundle", plain)
    assert done.code == 2
    assert "has no latent" in done.err
    done = dtb_run("calibrate", "--events", observed, "--bundle", plain)
    assert done.code == 2
    assert "needs a connectome" in done.err


def test_a_file_that_goes_in_is_not_written_over(
    dtb_run: Run, connectome: Path, observed: Path, tiny: Path
) -> None:
    before = observed.read_bytes()
    arguments = ("calibrate", connectome, "--events", observed, "--bundle", tiny, "--force")
    done = dtb_run(*arguments, "--save", observed)
    assert done.code == 2
    assert "is one of the files that go in" in done.err
    assert observed.read_bytes() == before


def test_nothing_is_saved_where_forecasts_cannot_be_written(
    dtb_run: Run, connectome: Path, observed: Path, tiny: Path, tmp_path: Path
) -> None:
    arguments = ("calibrate", connectome, "--events", observed, "--bundle", tiny)
    arguments += ("--out", tmp_path / "out")
    assert dtb_run(*arguments).code == 0
    done = dtb_run(*arguments, "--save", tmp_path / "twin.npz")
    assert done.code == 1
    assert not (tmp_path / "twin.npz").exists()
