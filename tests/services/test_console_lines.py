"""Line protocol of the live picture: fast path and slow path say the same."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.lines import LineReader, lines_of, parse_fields, parse_head, split_line

WANTED = ("b", "mode", "d")


def test_reader_takes_wanted_fields_in_any_layout() -> None:
    reader = LineReader(WANTED)
    columns, values, time_ns = reader.read(b"a=1.5,b=-2e3,mode=2i,c=0 1700000000000000001")
    assert dict(zip(columns, values, strict=True)) == {0: -2000.0, 1: 2.0}
    assert time_ns == 1_700_000_000_000_000_001
    columns, values, _ = reader.read(b"d=4,b=1 5")
    assert dict(zip(columns, values, strict=True)) == {2: 4.0, 0: 1.0}


def test_lost_or_odd_values_are_nan_and_never_zero() -> None:
    reader = LineReader(WANTED)
    columns, values, _ = reader.read(b'b=nonsense,d="text, with comma",mode=1i 7')
    taken = dict(zip(columns, values, strict=True))
    assert math.isnan(taken[0])
    assert math.isnan(taken[2])
    assert taken[1] == 1.0


@pytest.mark.parametrize("line", [b"", b"b=1", b"b=1 x", b"=1 5", b" 5"])
def test_malformed_rest_is_an_error(line: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        LineReader(WANTED).read(line)


def test_head_with_escapes() -> None:
    head, rest = split_line(rb"sat_state,plane=shell\ 53\,a,sat=S_1 b=1 5")
    assert rest == b"b=1 5"
    parsed = parse_head(head)
    assert parsed.measurement == "sat_state"
    assert parsed.tags == {"plane": "shell 53,a", "sat": "S_1"}


def test_comments_and_blanks_carry_no_data() -> None:
    assert list(lines_of(b'#twin {"v":1}\n\na b=1 1\n')) == [b"a b=1 1"]


names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(st.dictionaries(names, numbers, min_size=1, max_size=8), st.integers(1, 10**19))
def test_law_fast_and_full_parsers_agree(fields: dict[str, float], time_ns: int) -> None:
    rest = ",".join(f"{k}={v!r}" for k, v in fields.items()).encode() + b" %d" % time_ns
    wanted = tuple(sorted(fields))[::2]
    columns, values, seen_ns = LineReader(wanted).read(rest)
    everything, all_ns = parse_fields(rest)
    assert seen_ns == all_ns == time_ns
    assert everything == fields
    assert {wanted[c]: v for c, v in zip(columns, values, strict=True)} == {
        name: fields[name] for name in wanted
    }
