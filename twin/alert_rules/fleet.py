"""Rules of the fleet as a whole: one page for a cause, however many satellites it strikes."""

from typing import Final

from twin.alert_conditions import Condition, Number, Threshold, last
from twin.alert_rule import Dashboard, Rule, Runbook
from twin.channels import FLEET_MEASUREMENT

RULES: Final = (
    Rule(
        name="fleet_critical_share",
        title="Many satellites critical",
        subsystem="sat",
        severity="critical",
        cause="fleet",
        condition=Condition(
            FLEET_MEASUREMENT,
            Number(100.0) * (last("critical_count") / last("sats_count")),
            above=Threshold(5.0, "share of canaries that may fail, fleet survey 5.3 (A)"),
            clear=Threshold(3.0, "hysteresis (A)"),
            window_s=60.0,
        ),
        for_s=120.0,
        keep_firing_s=300.0,
        dashboard=Dashboard("twin-fleet", "health"),
        summary="{fleet}: {value} % of the satellites break a critical limit",
        unit="%",
        runbook=Runbook(
            meaning="More of the fleet breaks a critical limit at the same time than single faults "
            "explain: there is one cause.",
            impact="Capacity falls everywhere at once; single alerts drown the cause.",
            diagnosis=(
                "Which subsystem do the satellite alerts share? Group them by cause.",
                "Space weather, a rollout, a scheduler's decision, a ground outage: what began "
                "when the share rose?",
            ),
            action=(
                "Treat the cause, not the satellites.",
                "Freeze rollouts and mass commands until it is found.",
            ),
        ),
    ),
)
"""Fleet rules, most urgent first."""
