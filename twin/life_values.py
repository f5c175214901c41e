"""The life of a fleet as a preset states it: launches, losses, spares, ends; operators' units."""

from pydantic import Field

from twin.preset_values import StrictModel


class LifeValues(StrictModel):
    """How one class of satellites is launched, fails and is replaced."""

    life_year: float = Field(gt=0, le=50, description="design life, then re-entry")
    rated_power_kw: float = Field(
        ge=0, le=1e6, description="power that launch prices are quoted for; 0 = planned payload"
    )
    launcher: str = Field(min_length=1, description="name in presets/launchers.yaml")
    satellites_per_launch: int = Field(ge=0, le=1000, description="0 = as many as the mass allows")
    launches_per_year: float = Field(gt=0, le=100_000, description="planned cadence")
    slip_mean_day: float = Field(ge=0, le=3650, description="mean delay of one launch, exponential")
    commissioning_day: float = Field(ge=0, le=3650, description="from orbit to service")
    docking_day: float = Field(ge=0, le=3650, description="rendezvous and docking of one module")
    modules: int = Field(ge=1, le=10_000, description="docked into one platform; 1 = free flyer")
    early_failure_pct: float = Field(ge=0, le=99, description="never enter service")
    failure_pct_year: float = Field(ge=0, le=100, description="whole satellite lost, each year")
    spares_pct: float = Field(ge=0, le=100, description="in orbit beyond the planned fleet")
