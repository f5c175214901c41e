"""How a scenario or preset writes an orbit: `orbit: {sso_ring: {count: 12, ...}}`, checked."""

import math
from dataclasses import replace
from typing import Final

from pydantic import BaseModel, Field, model_validator

from twin import constellations
from twin.constellations import Constellation
from twin.preset_values import StrictModel, Topology, allowed_ranges
from twin.shells import ShellRow, capped_counts, plane_stack, plane_table

MAX_SATELLITES: Final = 1_200_000
"""The largest filing there is (SpaceX, letter of 2026-05-29) sums to 1,198,120."""


class WalkerSpec(StrictModel):
    """Walker pattern T/P/F; T = planes x per_plane."""

    planes: int = Field(ge=1, le=5000)
    per_plane: int = Field(ge=1, le=10_000)
    phasing: int = Field(default=1, ge=0, le=5000)
    altitude_km: float = Field(ge=200, le=50_000)
    inclination_deg: float = Field(ge=0, le=180)
    raan_deg: float = Field(default=0.0, ge=-360, le=360)

    def constellation(self, topology: Topology, *, star: bool) -> Constellation:
        """Mean elements; `topology` none and ring are respected, else plus_grid."""
        return constellations.walker(
            self.planes,
            self.per_plane,
            self.phasing,
            self.altitude_km * 1000.0,
            math.radians(self.inclination_deg),
            star=star,
            raan_rad=math.radians(self.raan_deg),
            topology=topology if topology in ("none", "ring") else "plus_grid",
        )


class RingSpec(StrictModel):
    """One plane of given inclination and node, evenly filled."""

    count: int = Field(ge=1, le=10_000)
    altitude_km: float = Field(ge=200, le=50_000)
    inclination_deg: float = Field(ge=0, le=180)
    raan_deg: float = Field(default=0.0, ge=-360, le=360)

    def constellation(self) -> Constellation:
        """Mean elements of the ring."""
        return constellations.walker(
            1,
            self.count,
            0,
            self.altitude_km * 1000.0,
            math.radians(self.inclination_deg),
            raan_rad=math.radians(self.raan_deg),
            topology="ring",
        )


class SsoRingSpec(StrictModel):
    """One sun-synchronous plane, evenly filled; the inclination follows from J2."""

    count: int = Field(ge=1, le=10_000)
    altitude_km: float = Field(ge=200, le=5900)
    ltan_h: float = Field(ge=0, le=24)


class TrainSpec(StrictModel):
    """Satellites one behind the other in one sun-synchronous plane."""

    count: int = Field(ge=1, le=10_000)
    altitude_km: float = Field(ge=200, le=5900)
    ltan_h: float = Field(ge=0, le=24)
    gap_km: float = Field(ge=0.05, le=5000)


class ClusterSpec(StrictModel):
    """Free-flying planar lattice: pitch d radially, 2 d along the track (81 for 5 rings)."""

    rings: int = Field(ge=1, le=30)
    radial_pitch_m: float = Field(ge=1, le=10_000)
    altitude_km: float = Field(ge=200, le=5900)
    ltan_h: float = Field(ge=0, le=24)


class ShellRowSpec(StrictModel):
    """One row of a filing: shells spread evenly over a range of heights and inclinations.

    Give `ltan_h` for sun-synchronous planes (inclinations follow from the heights), or the
    inclinations.
    """

    altitude_low_km: float = Field(ge=200, le=50_000)
    altitude_high_km: float = Field(ge=200, le=50_000)
    inclination_low_deg: float | None = Field(default=None, ge=0, le=180)
    inclination_high_deg: float | None = Field(default=None, ge=0, le=180)
    ltan_h: float | None = Field(default=None, ge=0, le=24)
    shells: int = Field(ge=1, le=5000)
    planes: int = Field(ge=1, le=5000)
    per_plane: int = Field(ge=1, le=10_000)

    @model_validator(mode="after")
    def _consistent(self) -> "ShellRowSpec":
        if self.altitude_high_km < self.altitude_low_km:
            raise ValueError(
                f"altitude_high_km {self.altitude_high_km:g} is below altitude_low_km "
                f"{self.altitude_low_km:g}"
            )
        tilts = (self.inclination_low_deg, self.inclination_high_deg)
        given_count = sum(one is not None for one in tilts)
        if given_count != (2 if self.ltan_h is None else 0):
            raise ValueError("give ltan_h, or both inclination_low_deg and inclination_high_deg")
        if self.ltan_h is not None and self.altitude_high_km > 5900:
            raise ValueError(
                f"altitude_high_km {self.altitude_high_km:g} with ltan_h: sun-synchronous planes "
                "exist up to 5900 km"
            )
        return self

    def row(self) -> ShellRow:
        """The same in SI."""
        return ShellRow(
            altitude_low_m=self.altitude_low_km * 1000.0,
            altitude_high_m=self.altitude_high_km * 1000.0,
            inclination_low_rad=math.radians(self.inclination_low_deg or 0.0),
            inclination_high_rad=math.radians(self.inclination_high_deg or 0.0),
            shells_count=self.shells,
            planes_count=self.planes,
            per_plane_count=self.per_plane,
            ltan_h=self.ltan_h,
        )

    @property
    def filed_count(self) -> int:
        """Satellites of the row."""
        return self.shells * self.planes * self.per_plane


class ShellsSpec(StrictModel):
    """Rows of a filing, thinned evenly to `cap` satellites where a cap is given."""

    rows: list[ShellRowSpec] = Field(min_length=1, max_length=200)
    cap: int | None = Field(default=None, ge=1, le=MAX_SATELLITES)

    @property
    def filed_count(self) -> int:
        """Satellites of all rows, before the cap."""
        return sum(one.filed_count for one in self.rows)

    def constellation(self, epoch_unix_s: float) -> Constellation:
        """All planes as filed, or thinned to the cap."""
        table = plane_table([one.row() for one in self.rows], epoch_unix_s)
        if self.cap is not None:
            table = replace(table, count=capped_counts(table.count, self.cap))
        return plane_stack(table)


class OrbitSpec(StrictModel):
    """Exactly one of the generators."""

    walker_delta: WalkerSpec | None = None
    walker_star: WalkerSpec | None = None
    ring: RingSpec | None = None
    sso_ring: SsoRingSpec | None = None
    train: TrainSpec | None = None
    cluster: ClusterSpec | None = None
    shells: ShellsSpec | None = None

    @model_validator(mode="after")
    def _one(self) -> "OrbitSpec":
        given = sorted(self.model_fields_set)
        if len(given) != 1:
            known = ", ".join(OrbitSpec.model_fields)
            raise ValueError(f"give exactly one generator, found {given or 'none'}; one of {known}")
        for walker in (self.walker_delta, self.walker_star):
            if walker and walker.planes * walker.per_plane > MAX_SATELLITES:
                count = walker.planes * walker.per_plane
                raise ValueError(
                    f"planes x per_plane is {count} satellites; allowed 1 to {MAX_SATELLITES}"
                )
        if self.shells and (self.shells.cap or self.shells.filed_count) > MAX_SATELLITES:
            count = self.shells.filed_count
            raise ValueError(f"rows sum to {count} satellites; allowed 1 to {MAX_SATELLITES}")
        return self

    @property
    def count(self) -> int:
        """Satellites of the generator."""
        walker = self.walker_delta or self.walker_star
        if walker:
            return walker.planes * walker.per_plane
        if self.shells:
            filed = self.shells.filed_count
            return min(filed, self.shells.cap or filed)
        if self.cluster:
            steps = range(-self.cluster.rings, self.cluster.rings + 1)
            return sum(i * i + j * j <= self.cluster.rings**2 for i in steps for j in steps)
        row = self.ring or self.sso_ring or self.train
        assert row is not None
        return row.count

    def constellation(self, topology: Topology, epoch_unix_s: float) -> Constellation:
        """Mean elements at the epoch. `topology` "none" cuts all links, "ring" those between
        the planes of a Walker pattern; other generators have links of their own."""
        made = self._generated(topology, epoch_unix_s)
        if topology == "none":
            made.neighbour_index[:] = -1
        return made

    def _generated(self, topology: Topology, epoch_unix_s: float) -> Constellation:
        walker = self.walker_delta or self.walker_star
        if walker:
            return walker.constellation(topology, star=self.walker_star is not None)
        if self.ring:
            return self.ring.constellation()
        if self.sso_ring:
            sso = self.sso_ring
            return constellations.sso_ring(
                sso.count, sso.altitude_km * 1000.0, sso.ltan_h, epoch_unix_s
            )
        if self.train:
            row = self.train
            return constellations.train(
                row.count, row.altitude_km * 1000.0, row.ltan_h, row.gap_km * 1000.0, epoch_unix_s
            )
        if self.shells:
            return self.shells.constellation(epoch_unix_s)
        assert self.cluster is not None
        flock = self.cluster
        return constellations.planar_cluster(
            flock.rings,
            flock.radial_pitch_m,
            flock.altitude_km * 1000.0,
            flock.ltan_h,
            epoch_unix_s,
        )


_MODELS: Final[dict[str, type[BaseModel]]] = {
    "walker_delta": WalkerSpec,
    "walker_star": WalkerSpec,
    "ring": RingSpec,
    "sso_ring": SsoRingSpec,
    "train": TrainSpec,
    "cluster": ClusterSpec,
    "shells": ShellsSpec,
    "rows": ShellRowSpec,
}
ORBIT_NAMES: Final[dict[str, list[str]]] = {
    "orbit": list(OrbitSpec.model_fields),
    **{name: list(model.model_fields) for name, model in _MODELS.items()},
}
"""Valid keys below each key, for the nearest-name hints of errors."""

ORBIT_RANGES: Final[dict[str, str]] = {
    f"{name}.{key}": text
    for name, model in _MODELS.items()
    for key, text in allowed_ranges(model).items()
}
