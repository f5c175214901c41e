"""Trapped protons and electrons of the radiation belts, and the magnetic shell they depend on.

NASA's AP8 and AE8 through two look-ups: place -> (1/L, ln B/B0), then those -> flux. Both
models and their fields are static; the field's westward drift since their epochs is applied to
the longitude at which the tables are read.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from twin.constants import SECONDS_PER_JULIAN_YEAR
from twin.state import BoolArray, FloatArray, IntArray

SAA_FLUX_CM2_S: Final = 100.0  # > 50 MeV: the South Atlantic Anomaly for us; assumption
SAA_DRIFT_DEG_PER_YEAR: Final = 14.0 / 66.0
"""Westward: the minimum of |B| moved from 46 W in 1960 to 60 W in 2026 (IGRF-14 through
ppigrf 2.1; computed). 0.21 deg a year, a first-order cure: the field changes its shape too."""
FIELD_1960: Final = 1960  # Jensen & Cain: AP8MIN, AE8MIN, AE8MAX
FIELD_1970: Final = 1970  # GSFC 12/66 at 1970: AP8MAX

Solar = Literal["min", "max"]
_Field = Literal[1960, 1970]
_GridArray = NDArray[np.float32]


class _FluxTable(NamedTuple):
    flux_cm2_s: _GridArray  # (L * ln(B/B0),) raveled
    shape: tuple[int, int]
    first: tuple[float, float]  # L, ln(B/B0)
    spacing: tuple[float, float]


@dataclass(frozen=True)
class TrappedTable:
    """AP8 and AE8 as read from the package: grids are uniform, given by first value and step."""

    header: dict[str, object]
    # By field, (altitude * latitude * longitude,) raveled; each cell holds 1/L and ln(B/B0) of
    # itself and of its eastern neighbour, 4 x float32, so that one fetch brings a whole edge.
    edges: dict[int, NDArray[np.complex128]]
    shape: tuple[int, int, int]
    first: tuple[float, float, float]  # altitude km, latitude deg, longitude deg
    spacing: tuple[float, float, float]
    protons: dict[Solar, _FluxTable]  # above 50 MeV
    electrons: dict[Solar, _FluxTable]  # above 1 MeV


class MagneticPlace(NamedTuple):
    """Where satellites are among the magnetic shells, (n,): McIlwain's 1/L and ln(B/B0)."""

    inverse_l: FloatArray  # 0 where the field line is open
    ln_field_ratio: FloatArray


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

    def fluxes(name: str) -> dict[Solar, _FluxTable]:
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
        spacing=(_spacing(axes[0]), _spacing(axes[1]), _spacing(axes[2])),
        protons=fluxes("proton"),
        electrons=fluxes("electron"),
    )


def saa_drift_rad(unix_s: float, field_epoch: int = FIELD_1960) -> float:
    """Westward drift of the anomaly since a model's field [rad] at UTC seconds since 1970.

    0.2121 deg a year (14 deg from 1960 to 2026); 11.9 deg from 1970 to 2026.
    """
    year = 1970.0 + unix_s / SECONDS_PER_JULIAN_YEAR
    return float(np.deg2rad(SAA_DRIFT_DEG_PER_YEAR * (year - field_epoch)))


SAA_DRIFT_RAD: Final = saa_drift_rad((2026 - 1970) * SECONDS_PER_JULIAN_YEAR)
"""Drift of AP8MIN's field by 2026: 14 deg."""


class MagneticColumns(NamedTuple):
    """Where satellites are in latitude and height on the map, (n,): all but their longitude."""

    corners: tuple[IntArray, ...]  # (low, south), (low, north), (high, south), (high, north)
    up_part: _GridArray
    north_part: _GridArray
    known: BoolArray
    all_known: bool


def magnetic_columns(latitude_rad: FloatArray, altitude_m: FloatArray) -> MagneticColumns:
    """Rows of the map to look up at, shared by look-ups at several longitudes."""
    table = trapped_table()
    known = np.isfinite(altitude_m + latitude_rad)
    all_known = bool(known.all())
    if not all_known:
        latitude_rad, altitude_m = (
            np.where(known, latitude_rad, 0.0),
            np.where(known, altitude_m, 0),
        )
    (low_km, south_deg, _), (rise_km, north_deg, _) = table.first, table.spacing
    layers, rows, columns = table.shape
    up, up_part = _cell(altitude_m, low_km * 1e3, rise_km * 1e3, layers)
    degree = np.pi / 180.0
    north, north_part = _cell(latitude_rad, south_deg * degree, north_deg * degree, rows)
    corner = (up * rows + north) * columns
    layer = rows * columns
    return MagneticColumns(
        corners=(corner, corner + columns, corner + layer, corner + (layer + columns)),
        up_part=up_part.astype(np.float32),
        north_part=north_part.astype(np.float32),
        known=known,
        all_known=all_known,
    )


def magnetic_place(
    columns: MagneticColumns,
    longitude_rad: FloatArray,
    drift_rad: float = 0.0,
    field_epoch: int = FIELD_1960,
) -> MagneticPlace:
    """McIlwain's 1/L and ln(B/B0) at geodetic places, (n,), read `drift_rad` to the east.

    Trilinear on 2 deg x 2 deg x 50 km between 150 and 2000 km, held at the ends. nan gives nan.
    """
    inverse_l, ln_ratio = _looked_up(columns, longitude_rad, drift_rad, field_epoch, (0, 2))
    return MagneticPlace(inverse_l, ln_ratio)


def shell_inverse_l(columns: MagneticColumns, longitude_rad: FloatArray) -> FloatArray:
    """1/L of satellites today, (n,), for geomagnetic cutoffs.

    The 1960 map without the anomaly's drift: the dipole's axis, which orders cutoffs, moved by
    3 deg only since (IGRF-14: geomagnetic pole at 69 W in 1960, 73 W in 2025). nan gives nan.
    """
    return _looked_up(columns, longitude_rad, 0.0, FIELD_1960, (0,))[0]


def proton_flux_cm2_s(
    latitude_rad: FloatArray,
    longitude_rad: FloatArray,
    altitude_m: FloatArray,
    drift_rad: float = SAA_DRIFT_RAD,
    solar: Solar = "min",
) -> FloatArray:
    """Trapped protons above 50 MeV [cm-2 s-1], omnidirectional integral, (n,).

    AP8 (Sawyer & Vette 1976) for solar minimum or maximum by two look-ups. The map is read
    `drift_rad` east of the satellite, because the field has drifted west since the model's
    epoch. Orbit means agree with AP8 itself to 0.5 %, 95 % of single fluxes above 10 cm-2 s-1
    to 11 %; AP8 itself is good to a factor of about two.
    Validity 150-2000 km: below, zero (the atmosphere removes them); above, the flux at 2000 km,
    which is not conservative. nan positions give nan.
    """
    field_epoch = FIELD_1960 if solar == "min" else FIELD_1970
    columns = magnetic_columns(latitude_rad, altitude_m)
    place = magnetic_place(columns, longitude_rad, drift_rad, field_epoch)
    return proton_flux_at(place, altitude_m, solar)


def electron_flux_cm2_s(
    latitude_rad: FloatArray,
    longitude_rad: FloatArray,
    altitude_m: FloatArray,
    drift_rad: float = SAA_DRIFT_RAD,
    solar: Solar = "min",
) -> FloatArray:
    """Trapped electrons above 1 MeV [cm-2 s-1], omnidirectional integral, (n,).

    AE8 (Vette 1991) by the same look-ups: the anomaly and the horns of the outer belt. Same
    validity as `proton_flux_cm2_s`. AE8 is a mean over storms: daily fluxes in the outer belt
    scatter by a factor of ten either way.
    """
    columns = magnetic_columns(latitude_rad, altitude_m)
    place = magnetic_place(columns, longitude_rad, drift_rad)
    return electron_flux_at(place, altitude_m, solar)


def proton_flux_at(place: MagneticPlace, altitude_m: FloatArray, solar: Solar) -> FloatArray:
    """Trapped protons above 50 MeV [cm-2 s-1] at magnetic places, (n,); none below 150 km."""
    return _above_air(_flux(trapped_table().protons[solar], place), altitude_m)


def electron_flux_at(place: MagneticPlace, altitude_m: FloatArray, solar: Solar) -> FloatArray:
    """Trapped electrons above 1 MeV [cm-2 s-1] at magnetic places, (n,); none below 150 km."""
    return _above_air(_flux(trapped_table().electrons[solar], place), altitude_m)


def in_saa(proton_flux: FloatArray) -> BoolArray:
    """True inside the South Atlantic Anomaly, (n,): flux above 50 MeV exceeds 100 cm-2 s-1.

    The argument is the flux of trapped protons alone: neither a solar particle event over the
    poles nor the electrons of the horns make an anomaly. At 550 km it is 4-5 % of the time in a
    53 deg orbit. A flux of nan counts as outside.
    """
    return proton_flux > SAA_FLUX_CM2_S


def _above_air(flux_cm2_s: FloatArray, altitude_m: FloatArray) -> FloatArray:
    flux_cm2_s[altitude_m < trapped_table().first[0] * 1e3] = 0.0
    return flux_cm2_s


def _undifferenced(level: NDArray[np.uint16]) -> NDArray[np.uint16]:
    for axis in range(level.ndim):
        level = np.cumsum(level, axis=axis, dtype=np.uint16)  # wraps as the differences did
    return level


def _raveled(values: FloatArray) -> _GridArray:
    return values.ravel().astype(np.float32)


def _flux_table(
    ln_flux: FloatArray, exists: BoolArray, axes: list[NDArray[np.float64]]
) -> _FluxTable:
    return _FluxTable(
        flux_cm2_s=_raveled(np.where(exists, np.exp(ln_flux), 0.0)),
        shape=(axes[0].size, axes[1].size),
        first=(float(axes[0][0]), float(axes[1][0])),
        spacing=(_spacing(axes[0]), _spacing(axes[1])),
    )


def _spacing(axis: FloatArray) -> float:
    return float((axis[-1] - axis[0]) / (axis.size - 1))


def _edges(inverse_l: FloatArray, ln_ratio: FloatArray) -> NDArray[np.complex128]:
    own = (_raveled(inverse_l), _raveled(ln_ratio))
    four = np.stack([own[0], np.roll(own[0], -1), own[1], np.roll(own[1], -1)], axis=1)
    return np.ascontiguousarray(four).view(np.complex128).ravel()


def _cell(
    value: FloatArray, first: float, spacing: float, size: int
) -> tuple[IntArray, FloatArray]:
    # Lower grid index and the fraction towards the next point, clamped to the ends of the axis.
    place = (value - first) * (1.0 / spacing)
    np.clip(place, 0.0, size - 1.0, out=place)
    index = place.astype(np.int64)
    np.minimum(index, size - 2, out=index)
    return index, place - index


def _looked_up(
    columns: MagneticColumns,
    longitude_rad: FloatArray,
    drift_rad: float,
    field_epoch: int,
    fields: tuple[int, ...],
) -> list[FloatArray]:
    # Trilinear, east first; 0 and 2 are the places of 1/L and ln(B/B0) in a cell.
    table = trapped_table()
    known = np.isfinite(longitude_rad) & columns.known
    all_known = columns.all_known and bool(known.all())
    turned = longitude_rad if all_known else np.where(known, longitude_rad, 0.0)
    turned = turned + drift_rad
    turned = turned - (2.0 * np.pi) * np.round(turned * (0.5 / np.pi))
    degree = np.pi / 180.0
    east, part = _cell(turned, table.first[2] * degree, table.spacing[2] * degree, table.shape[2])
    east_part = part.astype(np.float32)
    edges = table.edges[field_epoch]
    cells = [
        edges.take(corner + east).view(np.float32).reshape(-1, 4) for corner in columns.corners
    ]
    out = []
    for k in fields:
        low_south, low_north, high_south, high_north = (
            _between(cell[:, k], cell[:, k + 1], east_part) for cell in cells
        )
        low = _between(low_south, low_north, columns.north_part)
        high = _between(high_south, high_north, columns.north_part)
        value = _between(low, high, columns.up_part).astype(np.float64)
        if not all_known:
            value[~known] = np.nan
        out.append(value)
    return out


def _between(begin: _GridArray, end: _GridArray, part: _GridArray) -> _GridArray:
    out = end - begin
    out *= part
    out += begin
    return out


def _flux(table: _FluxTable, place: MagneticPlace) -> FloatArray:
    # Open field lines are stored as 1/L = 0; L = 50 is already beyond every trapped particle.
    inverse_l, ln_ratio = place
    unknown = np.isnan(inverse_l)
    some_unknown = bool(unknown.any())
    if some_unknown:
        inverse_l, ln_ratio = np.where(unknown, 1.0, inverse_l), np.where(unknown, 0.0, ln_ratio)
    shell = 1.0 / np.maximum(inverse_l, 0.02)
    i, i_part = _cell(shell, table.first[0], table.spacing[0], table.shape[0])
    j, j_part = _cell(ln_ratio, table.first[1], table.spacing[1], table.shape[1])
    row = table.shape[1]
    at = i * row + j
    flux = table.flux_cm2_s
    shell_part, ratio_part = i_part.astype(np.float32), j_part.astype(np.float32)
    low = _between(flux.take(at), flux.take(at + 1), ratio_part)
    at += row
    high = _between(flux.take(at), flux.take(at + 1), ratio_part)
    out = _between(low, high, shell_part).astype(np.float64)
    if some_unknown:
        out[unknown] = np.nan
    return out
