"""Rows of line protocol, compiled: the bytes of twin/frames.py at a fifth of its cost.

numpy has no way to print numbers into bytes, so `encode_rows` makes an object of every number
and joins them. Here a row is written straight into a buffer.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from twin.compiled.functions import exact_kernel
from twin.frames import FieldLayout, encode_rows
from twin.state import FloatArray, IntArray

# Two decimals of at most 15 digits are never the same float, so the shortest text that reads
# back to a rounded number is that number itself (IEEE 754, double precision).
_LARGEST: Final = 1e15
_CELL_BYTES: Final = 28  # of a number with its suffix: 15 digits, sign, point, zeros
_LABEL_BYTES: Final = 32
"""Of a label that are copied in one go, needed or not: what comes next overwrites the rest."""
_ZERO, _POINT, _MINUS, _SPACE, _LETTER_E, _LETTER_I = np.frombuffer(b"0.- ei", dtype=np.uint8)
# Places in the buffer are unsigned: where they could be negative, numba looks at each whether it
# counts from the end, and that costs more than the copying.
_U: Final = np.uint64
_NONE, _ONE, _TWO, _FIVE, _TEN = (np.uint64(number) for number in (0, 1, 2, 5, 10))
_HUNDRED: Final = np.uint64(100)
_COPIED: Final = np.uint64(_LABEL_BYTES)
_POWERS: Final = np.array([10**power for power in range(20)], dtype=np.uint64)
_PAIRS: Final = np.frombuffer(b"".join(b"%02d" % pair for pair in range(100)), dtype=np.uint8)


@lru_cache(maxsize=64)
def _labels(layout_names: tuple[str, ...]) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    """`,name=` of every field, (fields, at least _LABEL_BYTES), and how long each is."""
    texts = [f",{name}=".encode() for name in layout_names]
    width = max([_LABEL_BYTES, *map(len, texts)])
    table = np.frombuffer(b"".join(text.ljust(width) for text in texts), dtype=np.uint8)
    return table.reshape(-1, width), np.array([len(text) for text in texts], dtype=np.uint64)


def encode_rows_compiled(
    heads: Sequence[bytes], layout: FieldLayout, floats: FloatArray, integers: IntArray, t_ns: int
) -> bytes:
    """`twin.frames.encode_rows`, the same bytes."""
    if not heads:
        return b""
    if ((layout.decimals < 0) | (layout.decimals >= _POWERS.size)).any():
        return encode_rows(heads, layout, floats, integers, t_ns)
    text = b"".join(heads)
    ends = np.cumsum([len(head) for head in heads], dtype=np.uint64)
    labels, sizes = _labels((*layout.floats, *layout.integers))
    stamp = b" %d\n" % t_ns
    row_bytes = int(sizes.sum()) + _CELL_BYTES * sizes.size + len(stamp)
    out = np.empty(len(text) + len(heads) * row_bytes + labels.shape[1], dtype=np.uint8)
    size = _rows(
        out,
        np.frombuffer(text, dtype=np.uint8),
        ends,
        labels,
        sizes,
        floats,
        10.0**layout.decimals,
        layout.decimals.astype(np.uint64),
        integers,
        np.frombuffer(stamp, dtype=np.uint8),
    )
    if size < 0:
        return encode_rows(heads, layout, floats, integers, t_ns)
    return out[:size].tobytes()


@exact_kernel
def _copied(out: Any, at: Any, text: Any, begin: Any, end: Any) -> Any:
    for index in range(begin, end):
        out[at] = text[index]
        at += _ONE
    return at


@exact_kernel
def _label(out: Any, at: Any, labels: Any, sizes: Any, field: Any) -> Any:
    for index in range(_COPIED):  # a constant: one or two instructions
        out[at + index] = labels[field, index]
    for index in range(_COPIED, sizes[field]):
        out[at + index] = labels[field, index]
    return at + sizes[field]


@exact_kernel
def _digits_count(number: Any) -> Any:
    count = _ONE
    while count < _U(20) and number >= _POWERS[count]:
        count += _ONE
    return count


@exact_kernel
def _digits(out: Any, end: Any, number: Any, count: Any) -> Any:
    """The last `count` digits of a number before `end`; what is left of the number."""
    while count >= _TWO:
        rest = number // _HUNDRED
        pair = _TWO * (number - rest * _HUNDRED)
        out[end - _TWO], out[end - _ONE] = _PAIRS[pair], _PAIRS[pair + _ONE]
        end, count, number = end - _TWO, count - _TWO, rest
    if count:
        rest = number // _TEN
        out[end - _ONE] = np.uint8(number - rest * _TEN) + _ZERO
        number = rest
    return number


@exact_kernel
def _with_exponent(out: Any, at: Any, number: Any, decimals: Any) -> Any:
    """number / 10^decimals, below 1e-5: its first digit, a point and the others, e-6 to e-99."""
    count = _digits_count(number)
    exponent = decimals + _ONE - count
    end = at + count
    if count > _ONE:
        end += _ONE
        number = _digits(out, end, number, count - _ONE)
        out[at + _ONE] = _POINT
    _digits(out, at + _ONE, number, _ONE)
    out[end], out[end + _ONE] = _LETTER_E, _MINUS
    count = _digits_count(exponent)
    _digits(out, end + _TWO + count, exponent, count)
    return end + _TWO + count


@exact_kernel
def _real(out: Any, at: Any, number: Any, decimals: Any) -> Any:
    """number / 10^decimals as orjson prints it: no zeros at the end, but one after the point."""
    whole = number // _POWERS[decimals]
    if whole == _NONE and decimals > _FIVE and number != _NONE:
        while number % _TEN == _NONE:
            number //= _TEN
            decimals -= _ONE
        if _digits_count(number) + _FIVE <= decimals:  # where orjson begins to print exponents
            return _with_exponent(out, at, number, decimals)
    point = at + _digits_count(whole)
    _digits(out, point, whole, point - at)
    out[point] = _POINT
    if decimals == _NONE:
        out[point + _ONE] = _ZERO
        return point + _TWO
    end = point + _ONE + decimals
    _digits(out, end, number - whole * _POWERS[decimals], decimals)
    while out[end - _ONE] == _ZERO and end > point + _TWO:
        end -= _ONE
    return end


@exact_kernel
def _rows(
    out: Any,
    heads: Any,
    ends: Any,
    labels: Any,
    sizes: Any,
    floats: Any,
    scale: Any,
    decimals: Any,
    integers: Any,
    stamp: Any,
) -> Any:
    """Write all rows; the size, or -1 where a number is too large for this way of printing."""
    at, head = _NONE, _NONE
    floats_count, integers_count = _U(floats.shape[1]), _U(integers.shape[1])
    for row in range(_U(ends.size)):
        at = _copied(out, at, heads, head, ends[row])
        head, first = ends[row], at
        for column in range(floats_count):
            scaled = np.rint(floats[row, column] * scale[column])
            if abs(scaled) < _LARGEST:
                at = _label(out, at, labels, sizes, column)
                if np.signbit(scaled):
                    out[at] = _MINUS
                    at += _ONE
                at = _real(out, at, _U(abs(scaled)), decimals[column])
            elif np.isfinite(floats[row, column]):
                return -1
        for column in range(integers_count):
            number = integers[row, column]
            at = _label(out, at, labels, sizes, floats_count + column)
            if number < 0:
                if number == np.iinfo(np.int64).min:
                    return -1
                out[at] = _MINUS
                at += _ONE
                number = -number
            count = _digits_count(_U(number))
            at += count
            _digits(out, at, _U(number), count)
            out[at] = _LETTER_I
            at += _ONE
        out[first] = _SPACE  # where the first label has its comma
        at = _copied(out, at, stamp, _NONE, _U(stamp.size))
    return np.int64(at)
