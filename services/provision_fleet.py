"""What the fleet means for the rules that a Grafana is given: said at provisioning, never refused.

Grafana knows no scenario and the store no plan, so this is known where TWIN_SCENARIO is given.
"""

from collections.abc import Iterator
from typing import Final

from services.grafana_settings import GrafanaSettings
from services.runs import open_scenario, rare_groups
from services.settings import Settings
from twin.alert_rule import INTERVAL_S
from twin.errors import ConfigurationError

TELEMETRY_SATELLITES: Final = 1000
"""Up to so many the store can be asked for every satellite's telemetry by every rule."""
PROCESSOR_S: Final = 7.5e-3
"""What all rules cost the store for one satellite at each asking [s]: 76.6 s for 10,281 satellites,
measured with InfluxDB 1.6.7 (docs/dashboard-queries.md)."""


def fleet_warnings(settings: Settings, grafana: GrafanaSettings) -> Iterator[str]:
    """Lines about the fleet of TWIN_SCENARIO; none where the environment names none."""
    if "scenario" not in settings.model_fields_set:
        return
    try:
        opened = open_scenario(settings)
    except ConfigurationError as error:
        yield f"the fleet of TWIN_SCENARIO was not looked at: {error.problems[0]}"
        return
    count = opened.build.fleet.count
    if grafana.alert_source == "telemetry" and count > TELEMETRY_SATELLITES:
        yield (
            f"rules of {count:,} satellites that ask telemetry take {count * PROCESSOR_S:.0f} s of "
            f"the store's processor every {INTERVAL_S:.0f} s: set TWIN_ALERT_SOURCE=watch "
            "where twin watch runs"
        )
    yield from map(str, rare_groups(opened))
