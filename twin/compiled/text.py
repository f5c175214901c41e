"""Rows of line protocol, compiled: the bytes of twin/frames.py at a fifth of its cost.

numpy has no way to print numbers into bytes, so `encode_rows` makes an object of every number
and joins them. Here a row is written straight into a buffer.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from twin.compiled.functions import exact_kernel
from twin.frames import FieldLayout, encode_rows
from twin.state import FloatArray, IntArray

# Two decimals of at most 15 digits are never the same float, so the shortest text that reads
# back to a rounded number is that number itself (IEEE 754, double precision).
_LARGEST: Final = 1e15
_CELL_BYTES: Final = 28  # of a number with its comma and suffix: 15 digits, sign, point, zeros
_ZERO, _COMMA, _POINT, _MINUS, _SPACE, _LETTER_E, _LETTER_I = np.frombuffer(
    b"0,.- ei", dtype=np.uint8
)
_TEN: Final = np.uint64(10)
_NONE: Final = np.uint64(0)
_POWERS: Final = np.array([10**power for power in range(20)], dtype=np.uint64)


def encode_rows_compiled(
    heads: Sequence[bytes], layout: FieldLayout, floats: FloatArray, integers: IntArray, t_ns: int
) -> bytes:
    """`twin.frames.encode_rows`, the same bytes."""
    if not heads:
        return b""
    text = b"".join(heads)
    ends = np.cumsum([len(head) for head in heads], dtype=np.int64)
    labels, label_ends = layout.labels
    stamp = b" %d\n" % t_ns
    row_bytes = labels.size + _CELL_BYTES * label_ends.size + len(stamp)
    out = np.empty(len(text) + len(heads) * row_bytes, dtype=np.uint8)
    size = _rows(
        out,
        np.frombuffer(text, dtype=np.uint8),
        ends,
        labels,
        label_ends,
        np.ascontiguousarray(floats),
        10.0**layout.decimals,
        layout.decimals,
        np.ascontiguousarray(integers),
        np.frombuffer(stamp, dtype=np.uint8),
    )
    if size < 0:
        return encode_rows(heads, layout, floats, integers, t_ns)
    return out[:size].tobytes()


@exact_kernel
def _copied(out: Any, at: int, text: Any, begin: int, end: int) -> int:
    for index in range(begin, end):
        out[at] = text[index]
        at += 1
    return at


@exact_kernel
def _digits_count(number: Any) -> int:
    count = 1
    while count < _POWERS.size and number >= _POWERS[count]:
        count += 1
    return count


@exact_kernel
def _digits(out: Any, end: int, number: Any, count: int) -> Any:
    """The last `count` digits of a number before `end`; what is left of the number."""
    for index in range(end - 1, end - 1 - count, -1):
        rest = number // _TEN
        out[index] = np.uint8(number - rest * _TEN) + _ZERO
        number = rest
    return number


@exact_kernel
def _real(out: Any, at: int, number: Any, decimals: int) -> int:
    """number / 10^decimals as orjson prints it: no zeros at the end, but one after the point."""
    while decimals > 0:
        rest = number // _TEN
        if rest * _TEN != number:
            break
        number = rest
        decimals -= 1
    count = _digits_count(number)
    exponent = count - 1 - decimals
    if exponent < -5 and number != _NONE:
        end = at + count
        if count > 1:
            end += 1
            number = _digits(out, end, number, count - 1)
            out[at + 1] = _POINT
        _digits(out, at + 1, number, 1)
        out[end], out[end + 1] = _LETTER_E, _MINUS
        digits_count = 2 if exponent < -9 else 1
        _digits(out, end + 2 + digits_count, np.uint64(-exponent), digits_count)
        return end + 2 + digits_count
    wholes_count = max(1, count - decimals)
    point = at + wholes_count
    end = point + 1 + max(1, decimals)
    if decimals == 0:
        out[end - 1] = _ZERO
    else:
        number = _digits(out, end, number, decimals)
    out[point] = _POINT
    _digits(out, point, number, wholes_count)
    return end


@exact_kernel
def _rows(
    out: Any,
    heads: Any,
    ends: Any,
    labels: Any,
    label_ends: Any,
    floats: Any,
    scale: Any,
    decimals: Any,
    integers: Any,
    stamp: Any,
) -> int:
    """Write all rows; the size, or -1 where a number is too large for this way of printing."""
    at = head = 0
    floats_count, integers_count = floats.shape[1], integers.shape[1]
    for row in range(ends.size):
        at = _copied(out, at, heads, head, ends[row])
        head = ends[row]
        separator, label = _SPACE, 0
        for column in range(floats_count):
            value = floats[row, column]
            if np.isfinite(value):
                scaled = np.rint(value * scale[column])
                if not abs(scaled) < _LARGEST:
                    return -1
                out[at] = separator
                separator = _COMMA
                at = _copied(out, at + 1, labels, label, label_ends[column])
                if np.signbit(scaled):
                    out[at] = _MINUS
                    at += 1
                at = _real(out, at, np.uint64(abs(scaled)), decimals[column])
            label = label_ends[column]
        for column in range(integers_count):
            number = integers[row, column]
            out[at] = separator
            separator = _COMMA
            end = label_ends[floats_count + column]
            at = _copied(out, at + 1, labels, label, end)
            label = end
            if number < 0:
                if number == np.iinfo(np.int64).min:
                    return -1
                out[at] = _MINUS
                at += 1
                number = -number
            at += _digits_count(np.uint64(number))
            _digits(out, at, np.uint64(number), _digits_count(np.uint64(number)))
            out[at] = _LETTER_I
            at += 1
        at = _copied(out, at, stamp, 0, stamp.size)
    return at
