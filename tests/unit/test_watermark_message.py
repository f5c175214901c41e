"""A watermark message is read or ignored; it can never end the simulator."""

import pytest

from services.stored_marks import ToldMark, read_mark


def test_a_mark_says_which_run_is_stored_up_to_where() -> None:
    assert read_mark(b'{"run":"a1","seq":7}') == ToldMark("a1", 7)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"7",
        b"null",
        b"{",
        b"\xff\xfe",
        b'{"run":"a1"}',
        b'{"seq":7}',
        b'{"run":1,"seq":7}',
        b'{"run":"a1","seq":"7"}',
        b'{"run":"a1","seq":7.5}',
        b'{"run":"a1","seq":true}',
        b'{"run":"a1","seq":null}',
        b"[" * 200_000,
    ],
)
def test_what_is_no_mark_is_none(payload: bytes) -> None:
    assert read_mark(payload) is None
