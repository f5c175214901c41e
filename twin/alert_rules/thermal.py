"""Rules of thermal control."""

from typing import Final

from twin.alert_conditions import Condition, Threshold, last, limit_of
from twin.alert_rule import Dashboard, Rule, Runbook
from twin.channels import BUS_MEASUREMENT

RULES: Final = (
    Rule(
        name="coolant_flow_lost",
        title="Coolant flow lost",
        subsystem="tcs",
        severity="critical",
        cause="coolant",
        condition=Condition(
            BUS_MEASUREMENT,
            last("tcs_loop_flow_pct"),
            below=limit_of("tcs_loop_flow_pct", "critical_low"),
            clear=limit_of("tcs_loop_flow_pct", "warning_low"),
        ),
        for_s=0.0,
        keep_firing_s=60.0,
        dashboard=Dashboard("twin-satellite", "strip-tcs_loop_flow_pct"),
        summary="{sat}: coolant flow at {value} % of nominal",
        unit="%",
        runbook=Runbook(
            meaning="The pumped loop moves less coolant than the critical limit allows. Cold "
            "plates heat by about 1 K each second at full load.",
            impact="Clocks throttle within half a minute; the loop cannot carry the payload.",
            diagnosis=(
                "Pump slow too: the pump or its controller. Pump normal: a valve or a block.",
                "Level and pressure falling with it: a leak (see coolant_leak).",
            ),
            action=(
                "Swap to the redundant pump.",
                "Limit the payload to half until flow is back; then restore in steps.",
            ),
        ),
    ),
    Rule(
        name="die_over_throttle",
        title="Accelerators at their heat limit",
        subsystem="tcs",
        severity="critical",
        cause="heat",
        condition=Condition(
            BUS_MEASUREMENT,
            last("tcs_throttle_pct"),
            below=limit_of("tcs_throttle_pct", "critical_low"),
            clear=Threshold(75.0, "half way from the limit to an unthrottled clock (A)"),
        ),
        for_s=60.0,
        keep_firing_s=120.0,
        dashboard=Dashboard("twin-satellite", "strip-tcs_throttle_pct"),
        summary="{sat}: heat leaves {value} % of the clock",
        unit="%",
        runbook=Runbook(
            meaning="The hottest accelerator is so hot that its clock is cut below the critical "
            "limit. The limit follows each part's own throttle temperature.",
            impact="Work runs at a fraction of its speed; at 0 % the part has tripped.",
            diagnosis=(
                "Flow, radiator area and coolant level first: has the way of the heat changed?",
                "Neighbours hot as well, at the same time: a scheduler packs them (see "
                "fleet_throttling).",
                "Radiator in the Sun: is attitude off?",
            ),
            action=(
                "Cap power first, then admit less work: retries make it worse.",
                "Isolate a punctured panel and plan for the area that is left.",
            ),
        ),
    ),
)
"""Thermal rules, most urgent first."""
