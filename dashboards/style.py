"""From a row of the telemetry dictionary to the way it looks: unit, limits, states, colours.

One palette for every dashboard, safe for the common forms of colour blindness and never the
only carrier of a meaning (Okabe and Ito, 2008: hue differences that survive; text beside it).
"""

from dashboards.panels import FieldStyle, StateText, Step
from twin.channels import Channel, Limits, by_name, level

BLUE = "#3274D9"
INDIGO = "#6C72A8"
AMBER = "#FF9830"
MAGENTA = "#E0226E"
GREY = "#8E8E8E"

SERIES = (BLUE, "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#F0E442", "#D55E00", GREY)
"""Lines of one panel in their order: hues of Okabe and Ito (2008)."""

LEVEL_COLOURS = {"nominal": BLUE, "warning": AMBER, "critical": MAGENTA}

UNITS = {
    "": "short",
    "1": "short",
    "%": "percent",
    "1/J": "suffix:/J",
    "1/cm2/s": "suffix:/cm²/s",
    "1/s": "suffix:/s",
    "A": "amp",
    "C": "celsius",
    "GB": "decgbytes",
    "GV": "suffix:GV",
    "Gbit/s": "Gbits",
    "K": "kelvin",
    "MHz": "suffix:MHz",
    "V": "volt",
    "W": "watt",
    "W/m2": "Wm2",
    "Wh": "watth",
    "dB": "suffix:dB",
    "deg": "degree",
    "deg/s": "suffix:°/s",
    "day": "suffix:d",
    "1/h": "suffix:/h",
    "h": "h",
    "km": "lengthkm",
    "km/s": "suffix:km/s",
    "m/day": "suffix:m/day",
    "kPa": "suffix:kPa",
    "mJ": "suffix:mJ",
    "mV": "suffix:mV",
    "ms": "ms",
    "rad": "suffix:rad",
    "rad/day": "suffix:rad/day",
    "rpm": "suffix:rpm",
    "s": "s",
}
"""Unit of the dictionary to unit id of Grafana, ids that 9.4 and 13.2 both have.

`suffix:` keeps the dictionary's own text where Grafana has no such unit: its `radrad` would
print a dose in multiples of rad with SI prefixes an operator does not use.
"""


def channel(name: str) -> Channel:
    """The dictionary's row; KeyError names a channel that does not exist."""
    return by_name()[name]


def steps(limits: Limits) -> tuple[Step, ...]:
    """Colour steps of soft and hard limits, ascending, the base step first.

    Grafana colours a value from the step upward (>=) where the dictionary breaks a limit only
    beyond it; the difference is the single value equal to the limit.
    """
    below = MAGENTA if limits.critical_low is not None else AMBER
    has_low = limits.critical_low is not None or limits.warning_low is not None
    rows = [Step(None, below if has_low else BLUE)]
    if limits.critical_low is not None:
        colour = AMBER if limits.warning_low is not None else BLUE
        rows.append(Step(limits.critical_low, colour))
    if limits.warning_low is not None:
        rows.append(Step(limits.warning_low, BLUE))
    if limits.warning_high is not None:
        rows.append(Step(limits.warning_high, AMBER))
    if limits.critical_high is not None:
        rows.append(Step(limits.critical_high, MAGENTA))
    return tuple(rows)


def has_limits(row: Channel) -> bool:
    """True where the dictionary sets any limit."""
    return row.limits != Limits()


def state_texts(row: Channel) -> tuple[StateText, ...]:
    """Names of a state channel's codes, coloured by the level each code has.

    Where no code breaks a limit the states are equals: the first is grey, the others indigo,
    so that a change is seen without looking like an alarm.
    """
    limited = has_limits(row)
    return tuple(
        StateText(code, text.replace("_", " "), _state_colour(row, code, limited, number))
        for number, (code, text) in enumerate(sorted(row.states.items()))
    )


def _state_colour(row: Channel, code: int, limited: bool, number: int) -> str:
    if not limited:
        return GREY if number == 0 else INDIGO
    if row.name == "eps_mode" and row.states[code] == "eclipse":
        return INDIGO
    return LEVEL_COLOURS[level(row, code)]


def style(name: str, label: str | None = None, *, lines: bool = False) -> FieldStyle:
    """Style of one channel; `label` picks the series it applies to (None: the panel)."""
    row = channel(name)
    return FieldStyle(
        unit=UNITS[row.unit],
        name=label,
        decimals=min(row.decimals, 3) if row.kind == "float" else None,
        steps=steps(row.limits) if row.kind != "state" else (),
        states=state_texts(row) if row.kind == "state" else (),
        low=0.0 if row.unit == "%" else None,
        high=100.0 if row.unit == "%" else None,
        limit_lines=lines and row.kind != "state" and has_limits(row),
    )


def description(*names: str) -> str:
    """What the dictionary says of these channels: meaning, limits with their source."""
    return "\n\n".join(_sentence(channel(name)) for name in names)


def _sentence(row: Channel) -> str:
    text = f"**{row.label}**: {row.meaning}. Source: {row.source}."
    if not has_limits(row):
        return text
    bounds = [
        f"{word} {sign} {bound:g}"
        for word, sign, bound in (
            ("critical", "<", row.limits.critical_low),
            ("warning", "<", row.limits.warning_low),
            ("warning", ">", row.limits.warning_high),
            ("critical", ">", row.limits.critical_high),
        )
        if bound is not None
    ]
    unit = f" {row.unit}" if row.unit not in ("", "1") else ""
    return f"{text} Limits: {', '.join(bounds)}{unit} ({row.limit_source})."
