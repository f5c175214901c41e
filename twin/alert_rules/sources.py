"""Rules of where power comes from: solar array, battery and its heater."""

from typing import Final

from twin.alert_conditions import Comparison, Condition, Reading, Threshold, last, limit_of
from twin.alert_rule import Rule, Runbook
from twin.alert_rules.places import FULL_SUN, strip
from twin.channels import BUS_MEASUREMENT

RULES: Final = (
    Rule(
        name="array_short",
        title="Solar array far below its model",
        subsystem="eps",
        severity="critical",
        cause="array",
        condition=Condition(
            BUS_MEASUREMENT,
            last("eps_array_loss_pct"),
            above=limit_of("eps_array_loss_pct", "critical_high"),
            when=(FULL_SUN,),
        ),
        for_s=60.0,
        keep_firing_s=120.0,
        dashboard=strip("eps_array_loss_pct"),
        summary="{sat}: array {value} % short of its model in full sunlight",
        unit="%",
        runbook=Runbook(
            meaning="In full sunlight the array could deliver far less than the model of the same "
            "array, undamaged, at its age and temperature. Eclipse and penumbra do not count.",
            impact="The satellite cannot sustain its payload; charge falls orbit by orbit.",
            diagnosis=(
                "Is the Sun angle off (aocs_sun_err_deg)? Then attitude is the cause.",
                "A step of a twentieth: a string. Of a quarter: a power-point tracker.",
                "A loss that swings over the orbit: an array drive that stands still.",
                "sat_deploy not 0: a wing did not unfold.",
            ),
            action=(
                "Limit the payload to what the array carries before the battery does it for you.",
                "Switch the tracker's channel, or yaw towards the Sun if the drive is stuck.",
            ),
        ),
    ),
    Rule(
        name="array_below_model",
        title="Solar array below its model",
        subsystem="eps",
        severity="warning",
        cause="array",
        condition=Condition(
            BUS_MEASUREMENT,
            Reading("eps_array_loss_pct", "mean"),
            above=limit_of("eps_array_loss_pct", "warning_high"),
            when=(FULL_SUN,),
            window_s=300.0,
        ),
        for_s=300.0,
        keep_firing_s=600.0,
        dashboard=strip("eps_array_loss_pct"),
        summary="{sat}: array {value} % short of its model in full sunlight",
        unit="%",
        runbook=Runbook(
            meaning="Over five minutes of full sunlight the array could deliver less than its "
            "model "
            "by a string or more. The model already contains the planned ageing.",
            impact="Margin is gone: the payload still runs, eclipses get harder.",
            diagnosis=(
                "A step, or a slow slope over weeks? A step is a string, a slope is degradation.",
                "The same after a solar particle event on many satellites: dose in the cells.",
                "Turned away? A collision-avoidance slew shows in aocs_sun_err_deg.",
            ),
            action=(
                "Lower the planned payload power to what is left.",
                "Enter the new health into the preset, so that forecasts use it.",
            ),
        ),
    ),
    Rule(
        name="battery_cells_apart",
        title="Battery cells far apart",
        subsystem="eps",
        severity="critical",
        cause="battery",
        condition=Condition(
            BUS_MEASUREMENT,
            last("eps_batt_cell_dv_mv"),
            above=limit_of("eps_batt_cell_dv_mv", "critical_high"),
            clear=limit_of("eps_batt_cell_dv_mv", "warning_high"),
        ),
        for_s=60.0,
        keep_firing_s=300.0,
        dashboard=strip("eps_batt_cell_dv_mv"),
        summary="{sat}: {value} mV between highest and lowest cell",
        unit="mV",
        runbook=Runbook(
            meaning="One cell of the string is far from the others: shorted, open and bypassed, or "
            "of much higher resistance.",
            impact="Usable charge shrinks and heat grows; a shorted cell can take its neighbours.",
            diagnosis=(
                "Spread grows with current: resistance. It stays at rest: a cell is dead.",
                "Battery temperature rising at the same time: act first, look later.",
            ),
            action=(
                "Bypass the cell; cut the depth of discharge to what the rest can carry.",
                "Hold eclipse work on this satellite until the string is balanced.",
            ),
        ),
    ),
    Rule(
        name="battery_hot",
        title="Battery too hot",
        subsystem="eps",
        severity="critical",
        cause="battery",
        condition=Condition(
            BUS_MEASUREMENT,
            last("tcs_batt_t_c"),
            above=limit_of("tcs_batt_t_c", "critical_high"),
            clear=Threshold(43.0, "2 K below the limit (A)"),
        ),
        for_s=60.0,
        keep_firing_s=300.0,
        dashboard=strip("tcs_batt_t_c"),
        summary="{sat}: battery at {value} C",
        unit="C",
        runbook=Runbook(
            meaning="The battery pack is above its critical temperature.",
            impact="Ageing doubles with each 10 K; much higher, cells vent.",
            diagnosis=(
                "Heater on? See heater_stuck. High current? See the cell spread and the load.",
                "Bus structure hot as well: the way to the radiator has changed.",
            ),
            action=(
                "Lower charge and discharge current: limit the payload.",
                "Open the heater's breaker.",
            ),
        ),
    ),
    Rule(
        name="battery_cold",
        title="Battery too cold",
        subsystem="eps",
        severity="critical",
        cause="battery",
        condition=Condition(
            BUS_MEASUREMENT,
            last("tcs_batt_t_c"),
            below=limit_of("tcs_batt_t_c", "warning_low"),
        ),
        for_s=60.0,
        keep_firing_s=300.0,
        dashboard=strip("tcs_batt_t_c"),
        summary="{sat}: battery at {value} C",
        unit="C",
        runbook=Runbook(
            meaning="The battery pack is below the temperature at which its heater should have "
            "switched on. It pages at the warning limit: charging a frozen cell ruins it for good.",
            impact="Below freezing, charging plates lithium; capacity is lost for ever.",
            diagnosis=(
                "Heater power 0: relay open or no power for it. Heater on: heat goes elsewhere.",
                "Payload off for long (safe mode, shed)? Its waste heat is missing.",
            ),
            action=(
                "Switch the redundant heater on; put load on the bus for its heat.",
                "Stop charging below 0 C.",
            ),
        ),
    ),
    Rule(
        name="heater_stuck",
        title="Battery heater does not switch off",
        subsystem="eps",
        severity="warning",
        cause="battery",
        condition=Condition(
            BUS_MEASUREMENT,
            Reading("eps_heater_w", "min"),
            above=Threshold(
                0.4, "on in the whole window: off is 0, the smallest heater of a preset 0.5 W (A)"
            ),
            when=(
                Comparison(
                    Reading("tcs_batt_t_c", "min"),
                    above=Threshold(12.0, "1 K above the switch-off point of 11 C (A)"),
                ),
            ),
            window_s=300.0,
        ),
        for_s=60.0,
        keep_firing_s=300.0,
        dashboard=strip("tcs_batt_t_c"),
        summary="{sat}: heater draws {value} W although the battery is warm",
        unit="W",
        runbook=Runbook(
            meaning="The heater has been on for minutes with a battery that is warmer than the "
            "thermostat's switch-off point: its relay is welded, or its sensor is wrong.",
            impact="Power is burnt in every eclipse; the battery ages in its own heat.",
            diagnosis=(
                "Does battery temperature rise? If not, the current reading may be wrong.",
                "Commanded on by hand and forgotten?",
            ),
            action=("Open the breaker of the heater branch; heat by the redundant one.",),
        ),
    ),
)
"""Rules of array and battery, most urgent first."""
