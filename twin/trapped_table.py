"""AP8 and AE8 as tables: read from the package once, laid out for look-ups."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.constants import EARTH_EQUATOR_RADIUS_M
from twin.state import BoolArray, FloatArray

FIELD_1960: Final = 1960  # Jensen & Cain: AP8MIN, AE8MIN, AE8MAX
FIELD_1970: Final = 1970  # GSFC 12/66 at 1970: AP8MAX

Solar = Literal["min", "max"]
GridArray = NDArray[np.float32]


class FluxTable(NamedTuple):
    """Flux over a uniform grid of (L, ln B/B0), given by first value and step."""

    flux_cm2_s: GridArray  # (L * ln(B/B0),) raveled
    shape: tuple[int, int]
    first: tuple[float, float]  # L, ln(B/B0)
    spacing: tuple[float, float]


class Heights(NamedTuple):
    """Layers of the map: even in height up to `top_km`, above it even in R / (R + height)."""

    first_km: float
    spacing_km: float
    low_count: int  # layers up to top_km, that one included
    top_km: float
    top_radius_frac: float  # R / (R + top_km)
    spacing_frac: float

    def layer(self, altitude_m: FloatArray) -> FloatArray:
        """Place among the layers in steps, (n,); not clipped. Above, a dipole's 1/L is linear."""
        low = (altitude_m - self.first_km * 1e3) * (1e-3 / self.spacing_km)
        frac = EARTH_EQUATOR_RADIUS_M / (EARTH_EQUATOR_RADIUS_M + np.maximum(altitude_m, 0.0))
        high = (self.low_count - 1) + (self.top_radius_frac - frac) * (1.0 / self.spacing_frac)
        return np.where(altitude_m <= self.top_km * 1e3, low, high)


@dataclass(frozen=True)
class TrappedTable:
    """AP8 and AE8 as read from the package; grids are given by first value and step."""

    header: dict[str, object]
    # By field, (altitude * latitude * longitude,) raveled; each cell holds 1/L and ln(B/B0) of
    # itself and of its eastern neighbour, 4 x float32, so that one fetch brings a whole edge.
    edges: dict[int, NDArray[np.complex128]]
    shape: tuple[int, int, int]
    first: tuple[float, float, float]  # lowest altitude km, latitude deg, longitude deg
    spacing: tuple[float, float, float]
    heights: "Heights"
    protons: dict[Solar, FluxTable]  # above 50 MeV
    electrons: dict[Solar, FluxTable]  # above 1 MeV


@cache
def trapped_table() -> TrappedTable:
    """The table shipped with the package, built by scripts/build_trapped_table.py; read once."""
    resource = files("twin").joinpath("data", "trapped_particles.npz")
    with resource.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
        raw = {name: stored[name] for name in stored.files}
    header: dict[str, object] = json.loads(str(raw["header"]))
    axes = [raw[k] for k in ("altitude_km", "latitude_deg", "longitude_deg")]

    def unpacked(name: str, limit: str) -> FloatArray:
        low, high = np.asarray(header[limit], dtype=np.float64)
        values: FloatArray = low + _undifferenced(raw[name]) * ((high - low) / 65535.0)
        return values

    def fluxes(name: str) -> dict[Solar, FluxTable]:
        grid = [raw[f"{name}_l"], raw[f"{name}_ln_ratio"]]
        solar: tuple[Solar, Solar] = ("min", "max")
        return {
            one: _flux_table(
                unpacked(f"ln_{name}_flux_{one}", "ln_flux_limit"),
                _undifferenced(raw[f"ln_{name}_flux_{one}"]) > 0,
                grid,
            )
            for one in solar
        }

    both = (FIELD_1960, FIELD_1970)
    heights = _heights(axes[0], int(raw["low_layers"]))
    return TrappedTable(
        header=header,
        edges={
            y: _edges(
                unpacked(f"inverse_l_{y}", "inverse_l_limit"),
                unpacked(f"ln_ratio_{y}", "ln_ratio_limit"),
            )
            for y in both
        },
        shape=(axes[0].size, axes[1].size, axes[2].size),
        first=(float(axes[0][0]), float(axes[1][0]), float(axes[2][0])),
        spacing=(heights.spacing_km, _spacing(axes[1]), _spacing(axes[2])),
        heights=heights,
        protons=fluxes("proton"),
        electrons=fluxes("electron"),
    )


def _undifferenced(level: NDArray[np.uint16]) -> NDArray[np.uint16]:
    for axis in range(level.ndim):
        level = np.cumsum(level, axis=axis, dtype=np.uint16)  # wraps as the differences did
    return level


def _raveled(values: FloatArray) -> GridArray:
    return values.ravel().astype(np.float32)


def _flux_table(
    ln_flux: FloatArray, exists: BoolArray, axes: list[NDArray[np.float64]]
) -> FluxTable:
    return FluxTable(
        flux_cm2_s=_raveled(np.where(exists, np.exp(ln_flux), 0.0)),
        shape=(axes[0].size, axes[1].size),
        first=(float(axes[0][0]), float(axes[1][0])),
        spacing=(_spacing(axes[0]), _spacing(axes[1])),
    )


def _spacing(axis: FloatArray) -> float:
    return float((axis[-1] - axis[0]) / (axis.size - 1))


def _heights(altitude_km: FloatArray, low_count: int) -> Heights:
    radius_km = EARTH_EQUATOR_RADIUS_M * 1e-3
    frac = radius_km / (radius_km + altitude_km[low_count - 1 :])
    return Heights(
        first_km=float(altitude_km[0]),
        spacing_km=_spacing(altitude_km[:low_count]),
        low_count=low_count,
        top_km=float(altitude_km[low_count - 1]),
        top_radius_frac=float(frac[0]),
        spacing_frac=-_spacing(frac),
    )


def _edges(inverse_l: FloatArray, ln_ratio: FloatArray) -> NDArray[np.complex128]:
    own = (_raveled(inverse_l), _raveled(ln_ratio))
    four = np.stack([own[0], np.roll(own[0], -1), own[1], np.roll(own[1], -1)], axis=1)
    return np.ascontiguousarray(four).view(np.complex128).ravel()
