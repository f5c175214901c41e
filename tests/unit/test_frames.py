"""Batches on the wire: what goes in comes out, and what is damaged is refused."""

from dataclasses import replace

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.line_protocol import read_rows
from twin.channels import BUS_CHANNELS
from twin.frames import (
    FRAME_VERSION,
    FieldLayout,
    FrameError,
    FrameHeader,
    batch,
    encode_rows,
    open_batch,
    row_template,
    with_base,
)

LAYOUT = FieldLayout(("a", "b"), ("mode",), np.array([2, 0]))
HEADER = FrameHeader(FRAME_VERSION, "fleet", "run", "s0000", 3, 1, 10, 1, 0, 0)


def _batch(body: bytes = b"sat_state,fleet=fleet,sat=A a=1.0 10\n") -> bytes:
    return batch(HEADER, body)


def test_a_batch_opens_to_what_was_put_in() -> None:
    header, body = open_batch(_batch())
    assert (header.fleet, header.shard, header.seq, header.base, header.lines) == (
        "fleet",
        "s0000",
        3,
        1,
        1,
    )
    assert body == b"sat_state,fleet=fleet,sat=A a=1.0 10\n"


def test_a_batch_that_is_sent_again_says_what_is_owed_by_now() -> None:
    header, body = open_batch(_batch())
    again, same = open_batch(with_base(_batch(), header.base + 3))
    assert again == replace(header, base=header.base + 3)
    assert same == body
    assert with_base(_batch(), header.base) == _batch()


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "no #twin header"),
        (b"sat_state a=1 1\n", "no #twin header"),
        (b"#twin {\n", "unreadable header"),
        (b"#twin [1,2]\n", "unreadable header"),
        (b'#twin {"v":1}\n', "unreadable header"),
        (_batch().replace(b'"v":1', b'"v":9'), "version 9"),
        (_batch().replace(b'"seq":3', b'"seq":true'), "header field seq"),
        (_batch().replace(b'"seq":3', b'"seq":"3"'), "header field seq"),
        (_batch().replace(b'"seq":3', b'"seq":-3'), "header field seq is -3"),
        (_batch().replace(b'"seq":3', b'"seq":9007199254740992'), "header field seq is"),
        (_batch().replace(b'"late":0', b'"late":99'), "99 late frames"),
        (_batch()[:-1], "no end of a row"),
        (_batch().partition(b"\n")[0] + b"\n", "no end of a row"),
        (_batch() + b"sat_state a=1 1\n", "checksum"),
        (_batch().replace(b"a=1.0", b"a=2.0"), "checksum"),
        (b"#twin " + b"[" * 100_000 + b"\n", "unreadable header"),
        (b"\xff\xfe\x00", "no #twin header"),
    ],
)
def test_a_damaged_batch_is_refused_with_its_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(FrameError, match=reason):
        open_batch(payload)


@given(st.binary(max_size=400))
def test_law_no_bytes_make_the_reader_fall_over(payload: bytes) -> None:
    with pytest.raises(FrameError):
        open_batch(payload)


@given(
    st.lists(
        st.tuples(
            st.floats(-1e9, 1e9) | st.just(float("nan")), st.floats(-1e6, 1e6), st.integers(-1, 300)
        ),
        min_size=1,
        max_size=20,
    )
)
def test_law_rows_read_back_to_their_resolution(rows: list[tuple[float, float, int]]) -> None:
    heads = [row_template("m", {"sat": f"S{index}"}) for index in range(len(rows))]
    floats = np.array([row[:2] for row in rows], dtype=np.float64)
    states = np.array([[row[2]] for row in rows], dtype=np.int64)
    body = encode_rows(heads, LAYOUT, floats, states, 123)
    found = {}
    for columns in read_rows(body)["m"]:
        table = columns.arrays()
        for index, sat in enumerate(table["sat"]):
            found[sat] = {name: values[index] for name, values in table.items()}
    for index, (a, b, mode) in enumerate(rows):
        row = found[f"S{index}"]
        assert row["time"] == 123
        assert row["mode"] == mode
        assert row["b"] == pytest.approx(b, abs=0.5)
        if np.isnan(a):
            assert "a" not in row
        else:
            assert row["a"] == pytest.approx(a, abs=0.0051, rel=1e-12)


def test_states_are_integers_and_numbers_are_floats_on_the_wire() -> None:
    body = encode_rows([b"m,sat=A"], LAYOUT, np.array([[1.0, 2.0]]), np.array([[3]]), 5)
    assert body == b"m,sat=A a=1.0,b=2.0,mode=3i 5\n"


@pytest.mark.parametrize("value", ["a b", "a,b", "a=b", "a\nb", "", 'a"b', "ä"])
def test_a_tag_that_would_need_escaping_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="only letters"):
        row_template("sat_state", {"sat": value})


def test_layout_has_every_channel_once() -> None:
    layout = FieldLayout.of(BUS_CHANNELS)
    names = [*layout.floats, *layout.integers]
    assert sorted(names) == sorted(channel.name for channel in BUS_CHANNELS)


def test_header_is_a_comment_of_line_protocol() -> None:
    first, _, _ = _batch().partition(b"\n")
    assert first.startswith(b"#")
    assert orjson.loads(first.removeprefix(b"#twin "))["lines"] == 1
