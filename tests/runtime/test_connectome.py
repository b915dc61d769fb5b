"""Connectomes, and one sentence for everything that is none."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dtb_runtime.connectome import Connectome
from dtb_runtime.connectome_file import read_connectome
from dtb_runtime.edges import fisher_z
from dtb_runtime.errors import ConnectomeError, UsageError
from dtb_runtime.participants import participant_id_from

LABELS = ("L_V1", "L_M1", "R_V1", "R_M1", "R_S1")


@pytest.fixture
def matrix(rng: np.random.Generator) -> NDArray[np.float64]:
    """Correlations of five regions."""
    return np.corrcoef(rng.normal(size=(5, 40)))


# ---- from a matrix


def test_a_good_matrix_is_kept_as_float32_and_read_only(matrix: NDArray[np.float64]) -> None:
    before = matrix.copy()
    connectome = Connectome.from_matrix(matrix, labels=LABELS)
    assert (connectome.n_regions, connectome.labels, connectome.notes) == (5, LABELS, ())
    assert connectome.correlations.dtype == np.float32
    np.testing.assert_allclose(connectome.correlations, matrix, atol=1e-7)
    np.testing.assert_array_equal(matrix, before)
    with pytest.raises(ValueError, match="read-only"):
        connectome.correlations[0, 1] = 0


def test_fisher_z_gives_the_same_connectome(matrix: NDArray[np.float64]) -> None:
    with np.errstate(divide="ignore"):
        z = np.arctanh(np.minimum(matrix, 1.0))  # infinite on the diagonal
    connectome = Connectome.from_matrix(z, fisher_z=True)
    expected = Connectome.from_matrix(matrix)
    np.testing.assert_allclose(connectome.correlations, expected.correlations, atol=1e-6)
    np.fill_diagonal(z, float(fisher_z(1.0)))  # clipped, as this project writes it
    assert Connectome.from_matrix(z, fisher_z=True).notes == ()


@pytest.mark.parametrize(("value", "name"), [(0.0, "0"), (np.nan, "NaN")])
@pytest.mark.parametrize("is_z", [False, True])
def test_an_empty_diagonal_is_set_and_said(
    matrix: NDArray[np.float64], value: float, name: str, is_z: bool
) -> None:
    np.fill_diagonal(matrix, value)
    connectome = Connectome.from_matrix(matrix, fisher_z=is_z, source="c.npy")
    doubt = (
        f"A diagonal of {name} does not tell r from Fisher z: c.npy was taken for r. Pass "
        "--fisher-z (fisher_z=True) if it is z.",
    )
    assert connectome.notes == (
        f"The diagonal of c.npy was {name} and was set to 1.",
        *(() if is_z else doubt),
    )
    np.testing.assert_array_equal(np.diagonal(connectome.correlations), 1)


def test_a_partly_empty_diagonal_is_counted(matrix: NDArray[np.float64]) -> None:
    matrix[0, 0], matrix[3, 3] = 0, np.nan
    (note,) = Connectome.from_matrix(matrix).notes
    assert note == "The diagonal of array was 0 or NaN for 2 of 5 regions and was set to 1."


def test_rounding_is_no_error(matrix: NDArray[np.float64]) -> None:
    matrix[0, 1] = matrix[1, 0] = 1 + 1e-7
    matrix[2, 3] += 5e-5
    np.fill_diagonal(matrix, 1 + 1e-7)
    connectome = Connectome.from_matrix(matrix, source="c.csv")
    assert connectome.correlations.max() == 1
    np.testing.assert_array_equal(connectome.correlations, connectome.correlations.T)
    assert connectome.notes == (
        "Values of c.csv above and below the diagonal differ by up to 5.0e-05 and were averaged.",
    )


def test_a_matrix_that_is_not_square_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ConnectomeError, match=r"s\.npy is 1195 x 36, but .* square.*--timeseries"):
        Connectome.from_matrix(rng.normal(size=(1195, 36)), source="s.npy")


def test_an_asymmetric_matrix_is_refused_with_its_worst_pair(matrix: NDArray[np.float64]) -> None:
    matrix[1, 3], matrix[3, 1] = 0.2, 0.5
    matrix[0, 2] += 0.001
    with pytest.raises(ConnectomeError, match=r"not symmetric: row 2, column 4 is 0\.2 .* 0\.5"):
        Connectome.from_matrix(matrix)
    with pytest.raises(ConnectomeError, match="regions 'L_M1' and 'R_M1' is"):
        Connectome.from_matrix(matrix, labels=LABELS)


@pytest.mark.parametrize("empty", [0.0, np.nan])
@pytest.mark.parametrize("may_impute", [False, True])
def test_one_triangle_is_named_as_such(
    matrix: NDArray[np.float64], empty: float, may_impute: bool
) -> None:
    below = np.tril(np.ones(matrix.shape, dtype=bool), -1)
    upper, lower = np.where(below, empty, matrix), np.where(below.T, empty, matrix)
    with pytest.raises(ConnectomeError, match=r"filled above .* half = numpy\.triu\(matrix, 1\)"):
        Connectome.from_matrix(upper, may_impute=may_impute)
    with pytest.raises(ConnectomeError, match=r"filled below .* half = numpy\.tril\(matrix, -1\)"):
        Connectome.from_matrix(lower, may_impute=may_impute)
    for half in (np.triu(upper, 1), np.tril(lower, -1)):  # as the sentence advises
        found = Connectome.from_matrix(half + half.T).correlations
        np.testing.assert_allclose(found, matrix, atol=1e-7)


def test_zeros_in_both_triangles_are_no_single_one(matrix: NDArray[np.float64]) -> None:
    matrix[0, 4] = matrix[4, 0] = 0.0
    assert Connectome.from_matrix(matrix).n_regions == 5
    assert Connectome.from_matrix(np.eye(5)).n_regions == 5


def test_not_a_number_is_refused_with_its_place(matrix: NDArray[np.float64]) -> None:
    matrix[1, 2] = matrix[2, 1] = np.nan
    with pytest.raises(ConnectomeError, match=r"row 2, column 3 is nan \(2 such values\)"):
        Connectome.from_matrix(matrix)
    with pytest.raises(ConnectomeError, match="regions 'L_M1' and 'R_V1' is nan"):
        Connectome.from_matrix(matrix, labels=LABELS)
    matrix[1, 2] = matrix[2, 1] = np.inf
    with pytest.raises(ConnectomeError, match="is inf"):
        Connectome.from_matrix(matrix)


def test_a_region_without_values_is_named(matrix: NDArray[np.float64]) -> None:
    matrix[3, :] = matrix[:, 3] = np.nan
    with pytest.raises(ConnectomeError, match=r"8 such values, none at all for region 'R_M1'\)"):
        Connectome.from_matrix(matrix, labels=LABELS)


def test_fisher_z_without_the_flag_is_refused(matrix: NDArray[np.float64]) -> None:
    matrix[0, 4] = matrix[4, 0] = 1.3
    found = r"row 1, column 5 is 1\.3, but correlations lie between -1 and 1"
    with pytest.raises(ConnectomeError, match=found + r", and by the diagonal of 1 these are no"):
        Connectome.from_matrix(matrix)
    np.fill_diagonal(matrix, 0.0)
    with pytest.raises(ConnectomeError, match=found + r"\..*pass --fisher-z.*Distances"):
        Connectome.from_matrix(matrix)


def test_the_advice_on_fisher_z_with_a_diagonal_of_one_leads_somewhere(
    matrix: NDArray[np.float64],
) -> None:
    matrix[0, 4] = matrix[4, 0] = 1.3
    with pytest.raises(ConnectomeError, match="if they are Fisher z, set the diagonal to 0"):
        Connectome.from_matrix(matrix, fisher_z=True)
    np.fill_diagonal(matrix, 0.0)
    assert Connectome.from_matrix(matrix, fisher_z=True).n_regions == len(matrix)


@pytest.mark.parametrize("diagonal", [np.inf, 7.2543])
def test_fisher_z_is_also_seen_on_the_diagonal(
    matrix: NDArray[np.float64], diagonal: float
) -> None:
    np.fill_diagonal(matrix, diagonal)
    with pytest.raises(ConnectomeError, match=r"diagonal of region 1 is .* pass --fisher-z"):
        Connectome.from_matrix(matrix)


def test_correlations_with_the_flag_are_refused(matrix: NDArray[np.float64]) -> None:
    with pytest.raises(ConnectomeError, match=r"expected infinity .* drop --fisher-z"):
        Connectome.from_matrix(matrix, fisher_z=True)


@pytest.mark.parametrize("is_z", [False, True])
def test_covariances_are_refused(matrix: NDArray[np.float64], is_z: bool) -> None:
    with pytest.raises(ConnectomeError, match=r"neither a correlation .* not covariances"):
        Connectome.from_matrix(matrix * 4000, fisher_z=is_z)
    np.fill_diagonal(matrix, 0.8)
    with pytest.raises(ConnectomeError, match=r"diagonal of region 1 is 0\.8"):
        Connectome.from_matrix(matrix, fisher_z=is_z)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 2, 2)), "3-dimensional"),
        (np.zeros(4), "1-dimensional"),
        (np.zeros((2, 2), dtype=complex), "type complex128"),
        (np.array([["a", "b"], ["c", "d"]]), "expected a two-dimensional array of real numbers"),
        (np.ones((1, 1)), "has 1 regions. A connectome needs at least two"),
        (np.empty((0, 0)), "has 0 regions"),
    ],
)
def test_other_arrays_are_refused(array: NDArray[np.generic], message: str) -> None:
    with pytest.raises(ConnectomeError, match=message):
        Connectome.from_matrix(array)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:4], "4 labels for 5 regions"),
        (("a", "b", "c", "a", "c"), r"more than one region labeled a, c\."),
        (("a", "b", " ", "d", "e"), "region 3 has an empty label"),
    ],
)
def test_bad_labels_are_refused(
    matrix: NDArray[np.float64], labels: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ConnectomeError, match=message):
        Connectome.from_matrix(matrix, labels=labels)


# ---- in the order of a parcellation


def test_regions_are_matched_by_name(matrix: NDArray[np.float64]) -> None:
    order = [3, 0, 4, 2, 1]
    shuffled = Connectome.from_matrix(
        matrix[np.ix_(order, order)], labels=[LABELS[i] for i in order]
    )
    aligned = shuffled.aligned(LABELS, "five")
    expected = Connectome.from_matrix(matrix, labels=LABELS)
    np.testing.assert_array_equal(aligned.correlations, expected.correlations)
    assert aligned.labels == LABELS
    assert aligned.digest() == expected.digest() != shuffled.digest()
    assert not aligned.correlations.flags.writeable


def test_without_labels_the_order_is_taken_as_it_is(matrix: NDArray[np.float64]) -> None:
    connectome = Connectome.from_matrix(matrix)
    aligned = connectome.aligned(LABELS, "five")
    np.testing.assert_array_equal(aligned.correlations, connectome.correlations)
    assert aligned.labels == LABELS


def test_another_size_is_refused_with_the_next_step(matrix: NDArray[np.float64]) -> None:
    connectome = Connectome.from_matrix(matrix, source="connectome.csv")
    with pytest.raises(
        ConnectomeError,
        match=r"connectome\.csv is 5 x 5, but this bundle needs 434 x 434 \(parcellation "
        r"'tcp434'\)\. Parcellate with .*, or pick a bundle for 5 regions: dtb-run bundles\.",
    ):
        connectome.aligned([f"region_{i}" for i in range(434)], "tcp434")


def test_another_size_with_labels_lists_them(matrix: NDArray[np.float64]) -> None:
    connectome = Connectome.from_matrix(matrix, labels=LABELS)
    with pytest.raises(ConnectomeError, match=r"missing L_S1; unknown R_V1, R_M1\. Parcellate"):
        connectome.aligned(("L_V1", "L_M1", "R_S1", "L_S1"), "four")


@pytest.mark.parametrize("n_timepoints", [50, 4])
def test_columns_that_are_no_regions_are_named(rng: np.random.Generator, n_timepoints: int) -> None:
    names = ("time", "V1_L", "V1_R", "M1_L", "M1_R", "csf")
    found = Connectome.from_timeseries(
        rng.normal(size=(n_timepoints, 6)), labels=names, source="s.csv"
    )
    with pytest.raises(
        ConnectomeError,
        match=r"s\.csv holds time series of 6 regions, but .* 4 x 4 \(parcellation 'four'\): "
        r"unknown time, csf; all others fit\. Save it without them\.$",
    ):
        found.aligned(("L_V1", "R_V1", "L_M1", "R_M1"), "four")


def test_a_hemisphere_at_the_end_of_names_is_found_and_said(matrix: NDArray[np.float64]) -> None:
    names = [f"{label[2:]}_{label[0]}" for label in LABELS]
    found = Connectome.from_matrix(matrix, labels=names).aligned(LABELS[::-1], "five")
    expected = Connectome.from_matrix(matrix).correlations[::-1, ::-1]
    np.testing.assert_array_equal(found.correlations, expected)
    assert "and to where the hemisphere stands, such as 'S1_R' for 'R_S1'" in found.notes[-1]


def test_other_labels_are_listed(matrix: NDArray[np.float64]) -> None:
    connectome = Connectome.from_matrix(matrix, labels=LABELS, source="c.tsv")
    with pytest.raises(
        ConnectomeError, match=r"c\.tsv has other .* 'five': missing L_S1; unknown R_S1\. Rename"
    ):
        connectome.aligned((*LABELS[:4], "L_S1"), "five")


def test_a_long_list_of_labels_is_cut(rng: np.random.Generator) -> None:
    connectome = Connectome.from_matrix(np.eye(9), labels=[f"a{i}" for i in range(9)])
    with pytest.raises(ConnectomeError, match="missing b0, b1, b2, b3, b4 and 4 more; unknown a0"):
        connectome.aligned([f"b{i}" for i in range(9)], "nine")


def test_the_digest_is_that_of_the_float32_correlations(matrix: NDArray[np.float64]) -> None:
    connectome = Connectome.from_matrix(matrix)
    expected = hashlib.sha256(connectome.correlations.astype("<f4").tobytes()).hexdigest()
    assert connectome.digest() == expected
    changed = matrix.copy()
    changed[0, 1] = changed[1, 0] = changed[0, 1] + 1e-6
    assert Connectome.from_matrix(changed).digest() != expected


# ---- from time series


def test_time_series_give_pearson_correlations(rng: np.random.Generator) -> None:
    series = rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6)) + 100
    series *= 10.0 ** np.arange(-3, 3)  # the unit of a region does not matter
    connectome = Connectome.from_timeseries(series, labels=[f"r{i}" for i in range(6)])
    np.testing.assert_allclose(connectome.correlations, np.corrcoef(series.T), atol=1e-6)
    np.testing.assert_array_equal(np.diagonal(connectome.correlations), 1)
    np.testing.assert_array_equal(connectome.correlations, connectome.correlations.T)
    assert connectome.n_timepoints == 200
    assert connectome.notes == ()


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_extreme_units_neither_vanish_nor_overflow(rng: np.random.Generator, scale: float) -> None:
    series = rng.normal(size=(50, 3))
    scaled = Connectome.from_timeseries(series * scale)
    np.testing.assert_allclose(
        scaled.correlations, Connectome.from_timeseries(series).correlations, atol=1e-6
    )


def test_two_copies_of_a_region_correlate_at_one(rng: np.random.Generator) -> None:
    series = np.repeat(rng.normal(size=(30, 1)), 2, axis=1)
    connectome = Connectome.from_timeseries(series)
    assert connectome.correlations[0, 1] == pytest.approx(1.0)
    assert np.isfinite(connectome.edges()).all()


def test_a_constant_region_is_refused_by_name(rng: np.random.Generator) -> None:
    series = rng.normal(size=(30, 5))
    series[:, 2] = 0.1
    with pytest.raises(ConnectomeError, match="series of region 'R_V1' never changes"):
        Connectome.from_timeseries(series, labels=LABELS)


def test_a_missing_frame_is_refused_with_its_place(rng: np.random.Generator) -> None:
    series = rng.normal(size=(30, 5))
    series[6, 1] = np.nan
    with pytest.raises(ConnectomeError, match=r"time point 7 of region 2 is nan \(1 such"):
        Connectome.from_timeseries(series)


@pytest.mark.parametrize(
    ("shape", "message"),
    [((2, 5), "2 time points, expected at least 3"), ((9, 1), "has 1 regions")],
)
def test_too_short_series_are_refused(
    rng: np.random.Generator, shape: tuple[int, int], message: str
) -> None:
    with pytest.raises(ConnectomeError, match=message):
        Connectome.from_timeseries(rng.normal(size=shape))


def test_transposed_series_are_recognized(rng: np.random.Generator) -> None:
    connectome = Connectome.from_timeseries(rng.normal(size=(5, 200)), source="s.npy")
    assert "5 time points for 200 regions" in connectome.notes[0]
    with pytest.raises(ConnectomeError, match=r"s\.npy was read as 5 time points .* transposed"):
        connectome.aligned(LABELS, "five")


def test_series_as_long_as_wide_are_doubted(rng: np.random.Generator) -> None:
    (note,) = Connectome.from_timeseries(rng.normal(size=(9, 9)), source="s.npy").notes
    assert "9 time points for 9 regions" in note
    assert note.endswith("Nobody can see which way round they are.")
    assert Connectome.from_timeseries(rng.normal(size=(10, 9))).notes == ()


def test_series_of_another_size_are_named_as_such(rng: np.random.Generator) -> None:
    connectome = Connectome.from_timeseries(rng.normal(size=(50, 4)), source="s.npy")
    with pytest.raises(ConnectomeError, match=r"s\.npy holds time series of 4 regions, but"):
        connectome.aligned(LABELS, "five")


# ---- from a file


def test_a_file_is_read_with_its_labels(tmp_path: Path, matrix: NDArray[np.float64]) -> None:
    path = tmp_path / "sub-01_connectome.tsv"
    rows = ["\t".join(("", *LABELS))]
    rows += [
        "\t".join((label, *map(repr, map(float, row))))
        for label, row in zip(LABELS, matrix, strict=True)
    ]
    path.write_text("\n".join(rows))
    connectome = read_connectome(path)
    assert (connectome.labels, connectome.source) == (LABELS, "sub-01_connectome.tsv")
    np.testing.assert_allclose(connectome.correlations, matrix, atol=1e-7)


def test_rows_and_columns_in_another_order_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text(",a,b\nb,1,0.5\na,0.5,1\n")
    with pytest.raises(ConnectomeError, match="row 1 is labeled 'b' but column 1 'a'"):
        read_connectome(path)


def test_time_series_are_read_with_the_flag(tmp_path: Path, rng: np.random.Generator) -> None:
    series = rng.normal(size=(40, 3))
    path = tmp_path / "s.tsv"
    np.savetxt(path, series, delimiter="\t", header="a\tb\tc", comments="")
    connectome = read_connectome(path, timeseries=True)
    assert connectome.labels == ("a", "b", "c")
    np.testing.assert_allclose(connectome.correlations, np.corrcoef(series.T), atol=1e-6)
    with pytest.raises(ConnectomeError, match=r"40 x 3.*--timeseries"):
        read_connectome(path)


def test_a_file_that_says_what_it_holds_is_believed(
    tmp_path: Path, matrix: NDArray[np.float64]
) -> None:
    series = np.random.default_rng(0).normal(size=(40, len(matrix)))
    np.savez(tmp_path / "series.npz", timeseries=series)
    found = read_connectome(tmp_path / "series.npz")
    assert found.n_timepoints == 40
    assert found.taken_for == "time series of 40 points, correlated (Pearson)"
    np.savez(tmp_path / "c.npz", connectome=matrix)
    with pytest.raises(
        ConnectomeError, match=r"says that it holds a connectome. Drop --timeseries"
    ):
        read_connectome(tmp_path / "c.npz", timeseries=True)


def test_the_two_flags_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exclude each other"):
        read_connectome(tmp_path / "c.npy", fisher_z=True, timeseries=True)


@pytest.mark.parametrize(
    ("name", "participant_id"),
    [
        ("sub-100206_task-rest_timeseries.npy", "sub-100206"),
        ("/data/sub-9/sub-NDARINVAB12_connectome.tsv", "sub-NDARINVAB12"),
        ("sub-01.npy", "sub-01"),
        ("group_sub-A1.csv", "sub-A1"),
        ("connectome.csv", None),
        ("mysub-3.csv", None),
        ("sub-.csv", None),
    ],
)
def test_the_participant_is_found_in_the_file_name(name: str, participant_id: str | None) -> None:
    assert participant_id_from(name) == participant_id


def test_real_time_series_are_read(shared_data: Path) -> None:
    paths = sorted((shared_data / "hcp_rest").glob("sub-*/*_timeseries.npy"))
    assert len(paths) == 10
    connectomes = [read_connectome(path, timeseries=True) for path in paths]
    for path, connectome in zip(paths, connectomes, strict=True):
        expected = np.corrcoef(np.load(path).astype(np.float64).T)
        np.testing.assert_allclose(connectome.correlations, expected, atol=1e-6)
    assert len({connectome.digest() for connectome in connectomes}) == 10


# ---- nothing is taken for what it is not


def test_a_connectome_is_no_time_series(matrix: NDArray[np.float64]) -> None:
    for values in (matrix, np.arctanh(matrix - np.eye(5)), 100 * matrix):
        with pytest.raises(ConnectomeError, match=r"5 x 5, and symmetric.*Drop --timeseries"):
            Connectome.from_timeseries(values, source="c.npy")


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e308])
def test_as_many_time_points_as_regions_are_a_time_series(
    rng: np.random.Generator, scale: float
) -> None:
    series = rng.uniform(-1, 1, size=(5, 5))
    connectome = Connectome.from_timeseries(scale * series)
    np.testing.assert_allclose(connectome.correlations, np.corrcoef(series.T), atol=1e-6)


def test_changes_in_the_last_digits_are_no_signal(rng: np.random.Generator) -> None:
    series = rng.normal(size=(50, 4))
    series[:, 2] = np.where(series[:, 0] > 0, 0.1, np.nextafter(0.1, 1))
    with pytest.raises(ConnectomeError, match="series of region 3 never changes"):
        Connectome.from_timeseries(series)


def test_a_diagonal_of_rounding_errors_is_zero(matrix: NDArray[np.float64]) -> None:
    connectome = Connectome.from_matrix(matrix - np.eye(5) - 2e-16)
    assert np.all(np.diag(connectome.correlations) == 1.0)
    assert connectome.notes[0] == "The diagonal of array was 0 and was set to 1."


def test_a_file_name_becomes_one_line_that_can_be_written(
    tmp_path: Path, matrix: NDArray[np.float64]
) -> None:
    path = tmp_path / "sub-01\n\x1b[31m\udcff\u00e9.npy"
    with path.open("wb") as file:
        np.save(file, matrix - np.eye(5))
    notes = read_connectome(path).notes
    assert len(notes) == 2
    for note in notes:
        assert "sub-01\\n\\x1b[31m\\udcff\u00e9.npy" in note
        note.encode()


def test_masked_values_are_not_unmasked(matrix: NDArray[np.float64]) -> None:
    masked = np.ma.masked_array(matrix, mask=np.zeros((5, 5), dtype=bool))
    assert Connectome.from_matrix(masked).n_regions == 5
    masked.mask[0, 1] = masked.mask[1, 0] = True
    with pytest.raises(ConnectomeError, match="masks 2 values, and a mask would be lost"):
        Connectome.from_matrix(masked)


def test_rows_of_different_lengths_are_a_sentence() -> None:
    with pytest.raises(ConnectomeError, match="rows of different lengths"):
        Connectome.from_matrix([[1.0, 0.5], [0.5]])  # type: ignore[list-item]


class Frame:
    """What a pandas DataFrame is to numpy."""

    def __init__(self, values: NDArray[np.float64], columns: list[object]) -> None:
        self.values = values
        self.columns = columns

    def __array__(self, dtype: object = None, copy: bool | None = None) -> NDArray[np.float64]:
        return self.values


def test_the_column_names_of_a_table_in_memory_are_its_labels(
    matrix: NDArray[np.float64], rng: np.random.Generator
) -> None:
    assert Connectome.from_matrix(Frame(matrix, list(LABELS))).labels == LABELS
    series = Frame(rng.normal(size=(40, 5)), list(LABELS))
    assert Connectome.from_timeseries(series).labels == LABELS
    assert Connectome.from_matrix(Frame(matrix, list(range(5)))).labels is None
    for first in (0, 1):  # as pandas reads a file that counts its columns
        counted: list[object] = [str(i + first) for i in range(5)]
        assert Connectome.from_matrix(Frame(matrix, counted)).labels is None


def test_a_table_in_memory_has_its_rows_in_the_order_of_its_columns(
    matrix: NDArray[np.float64],
) -> None:
    pd = pytest.importorskip("pandas", reason="the table is one of pandas")
    names = list(LABELS)
    table = pd.DataFrame(matrix, index=names, columns=names)
    assert Connectome.from_matrix(table).labels == LABELS
    turned = pd.DataFrame(matrix, index=names[::-1], columns=names)
    with pytest.raises(ConnectomeError, match=r"row 1 is labeled .* but column 1"):
        Connectome.from_matrix(turned)
    assert Connectome.from_matrix(turned, labels=names).labels == LABELS
    assert Connectome.from_matrix(turned.reset_index(drop=True)).labels == LABELS
