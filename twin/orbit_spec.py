"""How a scenario or preset writes an orbit: `orbit: {sso_ring: {count: 12, ...}}`, checked."""

import math
from typing import Final

from pydantic import BaseModel, Field, model_validator

from twin import constellations
from twin.constellations import Constellation
from twin.preset_values import StrictModel, Topology, allowed_ranges

MAX_SATELLITES: Final = 100_000


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


class OrbitSpec(StrictModel):
    """Exactly one of the generators."""

    walker_delta: WalkerSpec | None = None
    walker_star: WalkerSpec | None = None
    ring: RingSpec | None = None
    sso_ring: SsoRingSpec | None = None
    train: TrainSpec | None = None
    cluster: ClusterSpec | None = None

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
        return self

    def constellation(self, topology: Topology, epoch_unix_s: float) -> Constellation:
        """Mean elements at the epoch. `topology` "none" cuts all links, "ring" those between
        the planes of a Walker pattern; other generators have links of their own."""
        made = self._generated(topology, epoch_unix_s)
        if topology == "none":
            made.neighbour_index[:] = -1
        return made

    def _generated(self, topology: Topology, epoch_unix_s: float) -> Constellation:
        if self.walker_delta:
            return self.walker_delta.constellation(topology, star=False)
        if self.walker_star:
            return self.walker_star.constellation(topology, star=True)
        if self.ring:
            one = self.ring
            return constellations.walker(
                1,
                one.count,
                0,
                one.altitude_km * 1000.0,
                math.radians(one.inclination_deg),
                raan_rad=math.radians(one.raan_deg),
                topology="ring",
            )
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
