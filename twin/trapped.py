"""Trapped protons and electrons of the radiation belts, and the magnetic shell they depend on.

NASA's AP8 and AE8 through two look-ups: place -> (1/L, ln B/B0), then those -> flux. Both
models and their fields are static; the field's westward drift since their epochs is applied to
the longitude at which the tables are read.
"""

from typing import Final, NamedTuple

import numpy as np

from twin.constants import SECONDS_PER_JULIAN_YEAR
from twin.state import BoolArray, FloatArray, IntArray
from twin.trapped_table import (
    FIELD_1960,
    FIELD_1970,
    FluxTable,
    GridArray,
    Solar,
    trapped_table,
)

SAA_FLUX_CM2_S: Final = 100.0  # > 50 MeV: the South Atlantic Anomaly for us; assumption
SAA_DRIFT_DEG_PER_YEAR: Final = 14.0 / 66.0
"""Westward: the minimum of |B| moved from 46 W in 1960 to 60 W in 2026 (IGRF-14 through
ppigrf 2.1; computed). 0.21 deg a year, a first-order cure: the field changes its shape too."""


class MagneticPlace(NamedTuple):
    """Where satellites are among the magnetic shells, (n,): McIlwain's 1/L and ln(B/B0)."""

    inverse_l: FloatArray  # 0 where the field line is open
    ln_field_ratio: FloatArray


def saa_drift_rad(unix_s: float, field_epoch: int = FIELD_1960) -> float:
    """Westward drift of the anomaly since a model's field [rad] at UTC seconds since 1970.

    0.2121 deg a year (14 deg from 1960 to 2026); 11.9 deg from 1970 to 2026.

    Validity: 1960-2030; the field also changes its shape.
    Source: longitude of the least B at 500 km in IGRF-14 (IAGA 2024), found by the committed
    script of the map.
    """
    year = 1970.0 + unix_s / SECONDS_PER_JULIAN_YEAR
    return float(np.deg2rad(SAA_DRIFT_DEG_PER_YEAR * (year - field_epoch)))


SAA_DRIFT_RAD: Final = saa_drift_rad((2026 - 1970) * SECONDS_PER_JULIAN_YEAR)
"""Drift of AP8MIN's field by 2026: 14 deg."""


class MagneticColumns(NamedTuple):
    """Where satellites are in latitude and height on the map, (n,): all but their longitude."""

    corners: tuple[IntArray, ...]  # (low, south), (low, north), (high, south), (high, north)
    up_part: GridArray
    north_part: GridArray
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
    south_deg, north_deg = table.first[1], table.spacing[1]
    layers, rows, columns = table.shape
    up, up_part = _cell(table.heights.layer(altitude_m), 0.0, 1.0, layers)
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

    Trilinear on 2 deg x 2 deg x 50 km between 150 and 2,000 km, above it on 24 layers even in
    R/(R + h) up to 60,000 km; held at the ends. nan gives nan.
    """
    inverse_l, ln_ratio = _looked_up(columns, longitude_rad, drift_rad, field_epoch, (0, 2))
    return MagneticPlace(inverse_l, ln_ratio)


def shell_inverse_l(columns: MagneticColumns, longitude_rad: FloatArray) -> FloatArray:
    """1/L of satellites today, (n,), for geomagnetic cutoffs.

    The 1960 map without the anomaly's drift: the dipole's axis, which orders cutoffs, moved by
    3 deg only since (IGRF-14: geomagnetic pole at 69 W in 1960, 73 W in 2025). nan gives nan.

    Validity: 150-60,000 km.
    Source: McIlwain 1961, J. Geophys. Res. 66, 3681; map from IRBEM's field routines (aep8
    1.1.0, 2024).
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
    epoch. Orbit means agree with AP8 itself to 1.1 %, the middle single flux to 1 %; AP8's own
    contours are stairs of 2 %, and it is good to a factor of about two.
    Validity 150-60,000 km: below, zero (the atmosphere removes them). nan positions give nan.

    Source: Sawyer & Vette 1976, NSSDC/WDC-A-R&S 76-06 (AP8).
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

    Validity: 150-60,000 km; single days in the outer belt scatter by a factor of ten.
    Source: Vette 1991, NSSDC/WDC-A-R&S 91-24 (AE8).
    """
    columns = magnetic_columns(latitude_rad, altitude_m)
    place = magnetic_place(columns, longitude_rad, drift_rad)
    return electron_flux_at(place, altitude_m, solar)


def proton_flux_at(place: MagneticPlace, altitude_m: FloatArray, solar: Solar) -> FloatArray:
    """Trapped protons above 50 MeV [cm-2 s-1] at magnetic places, (n,); none below 150 km.

    Validity: 150-60,000 km.
    Source: Sawyer & Vette 1976, NSSDC/WDC-A-R&S 76-06 (AP8).
    """
    return _above_air(_flux(trapped_table().protons[solar], place), altitude_m)


def electron_flux_at(place: MagneticPlace, altitude_m: FloatArray, solar: Solar) -> FloatArray:
    """Trapped electrons above 1 MeV [cm-2 s-1] at magnetic places, (n,); none below 150 km.

    Validity: 150-60,000 km.
    Source: Vette 1991, NSSDC/WDC-A-R&S 91-24 (AE8).
    """
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


def _between(begin: GridArray, end: GridArray, part: GridArray) -> GridArray:
    out = end - begin
    out *= part
    out += begin
    return out


def _flux(table: FluxTable, place: MagneticPlace) -> FloatArray:
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
