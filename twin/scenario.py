"""The door to scenarios: load and check a file, then build its fleet (the two modules behind)."""

from twin.fleet_build import FleetBuild, build_fleet
from twin.scenario_layers import ReadText
from twin.scenario_load import Scenario, ScenarioGroup, load_scenario

__all__ = ["FleetBuild", "ReadText", "Scenario", "ScenarioGroup", "build_fleet", "load_scenario"]
