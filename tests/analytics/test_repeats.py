"""Fingerprints of readings: every repetition of what is remembered is known, and nothing else."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analytics.repeats import Repeats, fingerprints
from analytics.table import Table, columns_of, empty_table, table_of
from telemetry.channels import PORT

Identity = tuple[int, int, int, int]
IDENTITIES = st.tuples(
    st.integers(0, 3), st.integers(0, 3).map(lambda i: 1_732_240_020_000 + i), st.integers(-1, 1), st.integers(0, 2)
)


def rows_of(identities: list[Identity]) -> Table:
    """Return rows that have an identity and nothing else."""
    n = len(identities)
    columns = {name: np.zeros(n, column.dtype) for name, column in columns_of(empty_table(PORT)).items()}
    sent = np.array(identities, np.int64).reshape(n, 4).T
    columns |= dict(zip(("device", "time_ms", "seq", "lane"), sent, strict=True))
    return table_of(columns, PORT)


@given(st.lists(st.lists(st.tuples(IDENTITIES, st.booleans()), max_size=8), max_size=8), st.integers(1, 20))
def test_what_is_known_is_what_came_before(batches: list[list[tuple[Identity, bool]]], remembered: int) -> None:
    repeats = Repeats(remembered)
    arrived: list[Identity] = []
    for batch in batches:
        identities = [i for i, _ in batch]
        rows = np.array([asked for _, asked in batch], np.bool_)
        found = repeats.known(rows_of(identities), rows)
        recent = arrived[max(0, len(arrived) - remembered):]
        for i, identity in enumerate(identities):
            if rows[i] and identity in (*recent, *identities[:i]):
                assert found[i]
            elif not rows[i] or identity not in (*arrived, *identities[:i]):
                assert not found[i]
        repeats.add(rows_of(identities))
        arrived += identities


def test_neighbouring_identities_have_fingerprints_of_their_own() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(30)] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    assert len(np.unique(fingerprints(rows_of(grid.tolist())))) == len(grid)
