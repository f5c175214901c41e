"""Rules of the coolant loop."""

from typing import Final

from twin.alert_conditions import Comparison, Condition, Reading, Threshold, growth, last, limit_of
from twin.alert_rule import Rule, Runbook
from twin.alert_rules.places import strip
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
        dashboard=strip("tcs_loop_flow_pct"),
        summary="{sat}: coolant flow at {value} % of nominal",
        unit="%",
        runbook=Runbook(
            meaning="The pumped loop moves less coolant than the critical limit allows. Cold "
            "plates heat by about 1 K each second at full load.",
            impact="Clocks throttle within half a minute; the loop cannot carry the payload.",
            diagnosis=(
                "Pump slow too: the pump or its controller. Pump normal: a valve or a block.",
                "Level and pressure falling with it: a leak (see coolant_lost).",
            ),
            action=(
                "Swap to the redundant pump.",
                "Limit the payload to half until flow is back; then restore in steps.",
            ),
        ),
    ),
    Rule(
        name="coolant_lost",
        title="Coolant lost",
        subsystem="tcs",
        severity="critical",
        cause="coolant",
        condition=Condition(
            BUS_MEASUREMENT,
            last("tcs_loop_pressure_kpa"),
            below=limit_of("tcs_loop_pressure_kpa", "warning_low"),
            when=(
                Comparison(
                    last("tcs_accum_level_pct"),
                    below=limit_of("tcs_accum_level_pct", "warning_low"),
                ),
            ),
        ),
        for_s=30.0,
        keep_firing_s=300.0,
        dashboard=strip("tcs_loop_pressure_kpa"),
        summary="{sat}: loop pressure {value} kPa and the accumulator is low",
        unit="kPa",
        runbook=Runbook(
            meaning="Two independent sensors, pressure and level, say that coolant is gone. One "
            "alone may be wrong (see coolant_sensors_disagree) and does not page.",
            impact="At an empty accumulator the pumps stop. Nothing refills in orbit.",
            diagnosis=(
                "How fast? Minutes: a puncture whose valves stay open; they close at 1,785 kPa.",
                "Radiator area reduced: the punctured panel is isolated, the leak is over.",
                "Hours or days: a seal; see coolant_leaks for the slope.",
            ),
            action=(
                "Isolate the panel if the valves did not.",
                "Shed load to the area and the level that are left; plan the derating date.",
            ),
        ),
    ),
    Rule(
        name="coolant_sensors_disagree",
        title="Coolant sensors disagree",
        subsystem="tcs",
        severity="warning",
        cause="sensor",
        condition=Condition(
            BUS_MEASUREMENT,
            last("tcs_accum_level_pct"),
            below=limit_of("tcs_accum_level_pct", "warning_low"),
            when=(
                Comparison(
                    last("tcs_loop_pressure_kpa"),
                    above=Threshold(2000.0, "pressure of an accumulator above 90 %, computed"),
                ),
            ),
        ),
        for_s=60.0,
        keep_firing_s=300.0,
        dashboard=strip("tcs_accum_level_pct"),
        summary="{sat}: accumulator reads {value} %, loop pressure is normal",
        unit="%",
        runbook=Runbook(
            meaning="The level says that coolant is gone, the gas that would have expanded into "
            "its "
            "place says it is not. A false leak alarm looks like this.",
            impact="None yet. Acting on it is the danger: dumping a healthy loop ends the payload.",
            diagnosis=(
                "Compare level, pressure and flow: two of three decide.",
                "A step within seconds is a sensor; coolant takes minutes to go.",
            ),
            action=(
                "Do not isolate and do not dump. Mark the level sensor as failed.",
                "Watch pressure in its place until the sensor is replaced by the model.",
            ),
        ),
    ),
    Rule(
        name="coolant_leaks",
        title="Coolant is leaking",
        subsystem="tcs",
        severity="warning",
        cause="coolant",
        condition=Condition(
            BUS_MEASUREMENT,
            growth("tcs_accum_level_pct"),
            below=Threshold(-0.3, "% an hour: ten times the sensor's noise over an hour (A)"),
            when=(
                Comparison(
                    growth("tcs_loop_pressure_kpa"),
                    below=Threshold(-2.0, "kPa an hour: what 0.05 % of level make, computed"),
                ),
            ),
            window_s=3600.0,
        ),
        for_s=600.0,
        keep_firing_s=1800.0,
        dashboard=strip("tcs_accum_level_pct"),
        summary="{sat}: accumulator changed by {value} % in an hour",
        unit="%",
        runbook=Runbook(
            meaning="Level and pressure have both fallen over the last hour by more than their "
            "noise: coolant leaves the loop slowly.",
            impact="At 1 % an hour the loop reaches its critical level within two days.",
            diagnosis=(
                "Which loop, and is the slope steady? Divide the level above 60 % by it: days "
                "left.",
                "Began at a thermal cycle or a manoeuvre: a seal. At any time: a micro-hole.",
            ),
            action=(
                "Plan the derating date and move long jobs away before it.",
                "Lower the loop's pressure if the design allows: leaks go with it.",
            ),
        ),
    ),
    Rule(
        name="coolant_will_run_out",
        title="Coolant will reach its limit within two days",
        subsystem="tcs",
        severity="warning",
        cause="coolant",
        condition=Condition(
            BUS_MEASUREMENT,
            (last("tcs_accum_level_pct") - limit_of("tcs_accum_level_pct", "critical_low").value)
            / (Reading("tcs_accum_level_pct", "first") - last("tcs_accum_level_pct")),
            below=Threshold(48.0, "hours: two days to plan (A)"),
            when=(
                Comparison(
                    growth("tcs_accum_level_pct"),
                    below=Threshold(-0.3, "% an hour: as coolant_leaks (A)"),
                ),
            ),
            window_s=3600.0,
        ),
        for_s=600.0,
        keep_firing_s=1800.0,
        dashboard=strip("tcs_accum_level_pct"),
        summary="{sat}: critical coolant level in {value} h at the present slope",
        unit="h",
        runbook=Runbook(
            meaning="A forecast: the level above its critical limit over what the last hour took. "
            "Below two days somebody must plan.",
            impact="The loop stops when the accumulator is empty, and the payload with it.",
            diagnosis=(
                "Confirm the slope with the pressure: one sensor alone is no forecast.",
                "Is the leak getting faster? Compare with the value of some hours ago.",
            ),
            action=(
                "Set the date at which the payload is derated, and tell the tenants.",
                "Bring the replacement forward.",
            ),
        ),
    ),
    Rule(
        name="valve_stuck",
        title="Mixing valve stuck towards the radiator",
        subsystem="tcs",
        severity="warning",
        cause="coolant",
        condition=Condition(
            BUS_MEASUREMENT,
            Reading("tcs_loop_drop_pct", "max"),
            below=Threshold(85.0, "half way from the design's 100 to 70 of an open valve (A)"),
            when=(
                Comparison(
                    Reading("eps_compute_w", "spread") / Reading("eps_compute_w", "mean"),
                    below=Threshold(0.15, "steady load: heating up looks alike (A)"),
                ),
            ),
            window_s=600.0,
        ),
        for_s=300.0,
        keep_firing_s=600.0,
        dashboard=strip("tcs_loop_flow_pct"),
        summary="{sat}: the loop drops {value} % of its design towards the radiator at most",
        unit="%",
        runbook=Runbook(
            meaning="At steady load the coolant leaves less temperature to the radiator than the "
            "design: all of it goes through the radiator instead of 70 %. A slow pump or the "
            "shadow makes the difference larger, never smaller: neither looks like this.",
            impact="The loop runs too cold, not too hot: with the payload idle it can freeze.",
            diagnosis=(
                "Is the supply as cold as the radiator? Then nothing bypasses it.",
                "Payload going idle soon (eclipse, drain)? Then a freeze is near.",
            ),
            action=(
                "Heaters of the loop on; keep some load on the payload.",
                "Exercise the valve; use the bypass by hand if there is one.",
            ),
        ),
    ),
)
"""Coolant rules, most urgent first."""
