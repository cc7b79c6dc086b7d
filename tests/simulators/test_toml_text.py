import tomllib

from hypothesis import given
from hypothesis import strategies as st

from simulators.toml_text import to_toml

keys = st.text("abcdefghijklmnopqrstuvwxyz_-", min_size=1, max_size=8)
scalars = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12),
    st.integers(-(2**53), 2**53),
    st.booleans(),
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9),
)
rows = st.dictionaries(keys, st.one_of(scalars, st.lists(scalars, max_size=3)), min_size=1, max_size=3)
tables_of_rows = st.dictionaries(keys, st.one_of(rows, st.lists(rows, min_size=1, max_size=2)), min_size=1, max_size=3)


@given(st.dictionaries(keys, tables_of_rows, min_size=1, max_size=2))
def test_what_is_written_reads_back(tables):
    assert tomllib.loads(to_toml(tables)) == tables
