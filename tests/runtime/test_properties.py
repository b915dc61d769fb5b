"""What must hold for any connectome and any file, on inputs that nobody thought of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dtb_runtime import read_connectome
from dtb_runtime.connectome import Connectome
from dtb_runtime.edges import correlations_from_edges, fisher_z
from dtb_runtime.errors import DataError
from dtb_runtime.events import read_events
from dtb_runtime.readers import READERS

SETTINGS = settings(
    derandomize=True,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@st.composite
def connectomes(draw: st.DrawFn) -> Connectome:
    """Correlations of random series, with labels."""
    n_regions = draw(st.integers(2, 9))
    series = draw(
        arrays(np.float64, (n_regions, 12), elements=st.floats(-3, 3, width=32), unique=True)
    )
    noise = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).normal(size=series.shape)
    matrix = np.corrcoef(series + 0.1 * noise)
    return Connectome.from_matrix(matrix, labels=[f"region-{i}" for i in range(n_regions)])


@SETTINGS
@given(connectomes())
def test_edges_and_correlations_are_inverses(connectome: Connectome) -> None:
    again = correlations_from_edges(connectome.edges(), connectome.n_regions)
    np.testing.assert_allclose(again, connectome.correlations, atol=2e-6)


@SETTINGS
@given(connectomes(), st.randoms(use_true_random=False))
def test_the_order_of_labeled_regions_does_not_matter(connectome: Connectome, random) -> None:
    assert connectome.labels is not None
    order = list(range(connectome.n_regions))
    random.shuffle(order)
    shuffled = Connectome.from_matrix(
        connectome.correlations[np.ix_(order, order)], labels=[connectome.labels[i] for i in order]
    )
    back = shuffled.aligned(connectome.labels, "made-up")
    np.testing.assert_array_equal(back.correlations, connectome.correlations)
    assert back.digest() == connectome.digest()


@SETTINGS
@given(st.floats(-1, 1))
def test_fisher_z_is_odd_finite_and_monotonic(r: float) -> None:
    z = float(fisher_z(np.array(r)))
    assert np.isfinite(z)
    assert float(fisher_z(np.array(-r))) == -z
    assert float(fisher_z(np.array(r / 2))) * np.sign(r) <= z * np.sign(r)


@SETTINGS
@given(content=st.binary(max_size=400), suffix=st.sampled_from(sorted(READERS)))
def test_any_bytes_are_a_connectome_or_a_sentence(
    tmp_path: Path, content: bytes, suffix: str
) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(content)
    try:
        connectome = read_connectome(path)
    except DataError as error:
        assert path.name in str(error)
    else:
        assert np.abs(connectome.correlations).max() <= 1


@SETTINGS
@given(
    cells=st.lists(st.lists(st.text(max_size=8), min_size=5, max_size=5), min_size=0, max_size=4)
)
def test_any_table_is_events_or_a_sentence(tmp_path: Path, cells: list[list[str]]) -> None:
    header = ["onset", "duration", "trial_type", "stimulus_text", "stimulus_color"]
    path = tmp_path / "events.tsv"
    lines = ["\t".join(row) for row in (header, *cells)]
    path.write_text("\n".join(lines), encoding="utf-8", errors="surrogatepass")
    try:
        events = read_events(path, "stroop")
    except DataError as error:
        assert "events.tsv" in str(error)
    else:
        assert events.n_trials >= 1
