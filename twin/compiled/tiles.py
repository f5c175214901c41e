"""Which satellite lies in which tile of a compiled fleet, and where."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from twin.compiled.rows import DUE_FLUENCE, DUE_MEMORY, DUE_S, PLANNED, TILE
from twin.state import FloatArray, IntArray


class Tiles:
    """Satellites of one class side by side, in tiles of TILE; the last one of a class filled up.

    slot (n,): tile times TILE plus place in the tile, of each row of the roster. class_of
    (tiles,). row_of (tiles, TILE): back again, -1 where there is none. Lanes that fill up a
    tile hold copies of its last satellite.
    """

    def __init__(self, of_row: IntArray) -> None:
        classes = int(of_row.max(initial=-1)) + 1
        sizes = np.bincount(of_row, minlength=classes)
        tiles = -(-sizes // TILE)
        self.count = int(tiles.sum())
        self.class_of: IntArray = np.repeat(np.arange(classes), tiles)
        order = np.argsort(of_row, kind="stable")
        first_slot = (np.cumsum(tiles) - tiles) * TILE
        within = np.arange(of_row.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        self.slot: IntArray = np.empty(of_row.size, dtype=np.int64)
        self.slot[order] = first_slot[of_row[order]] + within
        taken = np.zeros(self.count * TILE, dtype=np.bool_)
        taken[self.slot] = True
        self._spare: IntArray = np.flatnonzero(~taken)
        self.row_of: NDArray[np.int32] = np.full((self.count, TILE), -1, dtype=np.int32)
        self.row_of.ravel()[self.slot] = np.arange(of_row.size)
        last = first_slot + sizes - 1
        self._copied: IntArray = last[self.class_of[self._spare // TILE]]

    @property
    def nbytes(self) -> int:
        """Bytes of its arrays."""
        arrays = (self.slot, self.row_of, self.class_of, self._spare, self._copied)
        return sum(one.nbytes for one in arrays)

    def spread(self, values: Any) -> Any:
        """(k, n) in the order of the roster -> (tiles, k, TILE)."""
        flat = np.empty((values.shape[0], self.count * TILE), dtype=values.dtype)
        flat[:, self.slot] = values
        flat[:, self._spare] = flat[:, self._copied]
        tiled = flat.reshape(values.shape[0], self.count, TILE)
        return np.ascontiguousarray(tiled.transpose(1, 0, 2))

    def gathered(self, s: FloatArray, at: IntArray) -> FloatArray:
        """Tiles (tiles, rows TILE) -> (rows, m) of rows `at` (m,) of the roster."""
        tiled, slot = s.reshape(self.count, -1, TILE), self.slot[at]
        out: FloatArray = np.ascontiguousarray(tiled[slot // TILE, :, slot % TILE].T)
        return out

    def fill_up(self, s: FloatArray) -> None:
        """Copy the last satellite of each class into the lanes that are left; no event for them."""
        tiled = s.reshape(self.count, -1, TILE)
        copied = tiled[self._copied // TILE, :, self._copied % TILE]
        tiled[self._spare // TILE, :, self._spare % TILE] = copied
        for row in (DUE_FLUENCE, DUE_MEMORY, DUE_S, PLANNED):
            s[self._spare // TILE, row + self._spare % TILE] = np.inf


@njit(error_model="numpy", cache=True)
def put(s: Any, row: int, slot: Any, values: Any) -> None:
    """Write values (m,) into the row that begins at `row`, for the satellites at slots (m,)."""
    for one in range(slot.size):
        at = slot[one]
        s[at // TILE, row + at % TILE] = values[one]
