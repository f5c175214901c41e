"""The compiled encoder prints the bytes of the numpy one, whatever the numbers are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from twin.compiled.text import encode_rows_compiled
from twin.frames import FieldLayout, encode_rows

ROWS, FLOATS, STATES = 3, 4, 2
LONG_NAME = "longer_than_what_is_copied_in_one_go"
NUMBERS = st.one_of(
    st.floats(),
    st.floats(-1e6, 1e6),
    st.integers(-(10**17), 10**17).map(lambda whole: whole / 1e9),
    st.sampled_from([0.0, -0.0, 1e-5, 9e-6, 1e-7, 1.25e-6, 0.5, 1e15, 999999999999999.0, np.nan]),
)


@settings(max_examples=300, deadline=None)  # the first example compiles
@given(
    floats=hnp.arrays(np.float64, (ROWS, FLOATS), elements=NUMBERS),
    states=hnp.arrays(np.int64, (ROWS, STATES)),
    decimals=hnp.arrays(np.int64, FLOATS, elements=st.integers(0, 12)),
    t_ns=st.integers(-(2**62), 2**62),
)
def test_law_compiled_rows_are_the_same_bytes(floats, states, decimals, t_ns):
    layout = FieldLayout(("a", LONG_NAME, "c", "d"), (LONG_NAME + "_x", "y"), decimals)
    heads = [b"m,sat=A", b"m,sat=BB", b"m"]
    wanted = encode_rows(heads, layout, floats, states, t_ns)
    assert encode_rows_compiled(heads, layout, floats, states, t_ns) == wanted


def test_law_one_number_of_each_size_is_printed_as_orjson_does():
    scale = 10.0 ** np.arange(-12, 15)
    floats = np.concatenate([scale, -scale, 1.5 * scale, 9.0 * scale])[:, np.newaxis]
    layout = FieldLayout(("a",), (), np.array([12]))
    none = np.zeros((floats.size, 0), dtype=np.int64)
    heads = [b"m"] * floats.size
    wanted = encode_rows(heads, layout, floats, none, 1)
    assert encode_rows_compiled(heads, layout, floats, none, 1) == wanted
    assert b"a=1e-12 1\n" in wanted and b"a=100000000000000.0 1\n" in wanted


@pytest.mark.parametrize("decimals", [-1, 19, 20, 25])
def test_resolutions_beyond_those_of_the_dictionary_are_printed_too(decimals):
    layout = FieldLayout(("a", "b"), ("c",), np.array([2, decimals]))
    floats, states = np.array([[1.25, 1.5], [0.0, -3e-17]]), np.array([[1], [-2]])
    wanted = encode_rows([b"m", b"n"], layout, floats, states, 1)
    assert encode_rows_compiled([b"m", b"n"], layout, floats, states, 1) == wanted
