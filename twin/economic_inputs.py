"""Inputs of economics from presets/economics.yaml, each sourced and replaceable."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from pydantic import Field, ValidationError

from twin.errors import ConfigurationError
from twin.located_yaml import Vocabulary, load_mapping, problems_of
from twin.preset_files import Sourced, package_text
from twin.preset_values import StrictModel, allowed_ranges

_FILE = "twin/presets/economics.yaml"


class EconomicInputs(StrictModel):
    """Prices and shares beside the presets, in operators' units."""

    platform_usd_per_w: float = Field(ge=0, le=10_000, description="satellite, per W of array")
    server_usd_per_kw_year: float = Field(ge=0, le=1e6, description="servers in orbit")
    operations_pct_year: float = Field(ge=0, le=100, description="of the capital in orbit")
    availability_pct: float = Field(gt=0, le=100, description="accelerators in service")
    ground_operations_pct_year: float = Field(ge=0, le=100, description="of the building")
    grid_co2e_g_per_kwh: float = Field(ge=0, le=2000, description="electricity of a ground site")
    radiator_kg_m2: float = Field(ge=0, le=100, description="mass of one m2 of panel")


class Bounds(StrictModel):
    """Ends of a triangular distribution; its mode is the preset's own number."""

    low: Sourced
    high: Sourced


class EconomicsFile(StrictModel):
    """The whole file."""

    inputs: dict[str, Sourced]
    distributions: dict[str, Bounds]
    published: dict[str, Sourced]


@cache
def economics_file() -> EconomicsFile:
    """The shipped file. Raises ConfigurationError with every fault in it."""
    data, places = load_mapping(package_text("presets", "economics"), _FILE)
    try:
        return EconomicsFile.model_validate(data)
    except ValidationError as error:
        words = Vocabulary({"": list(EconomicsFile.model_fields)})
        raise ConfigurationError(problems_of(error, places, words)) from None


def economic_inputs(changed: Mapping[str, object], said_in: str = "flags") -> EconomicInputs:
    """The shipped inputs with some replaced. Raises ConfigurationError naming the wrong key."""
    plain = {key: one.value for key, one in economics_file().inputs.items()}
    try:
        return EconomicInputs.model_validate({**plain, **changed})
    except ValidationError as error:
        words = Vocabulary({"": list(EconomicInputs.model_fields)}, allowed_ranges(EconomicInputs))
        found = problems_of(error, {(): (said_in, 1)}, words)
        raise ConfigurationError([replace(one, line=None) for one in found]) from None
