"""docs/channels.md: the telemetry dictionary as a page."""

from itertools import groupby

from twin.channels import (
    ACCEL_CHANNELS,
    ACCEL_MEASUREMENT,
    BUS_CHANNELS,
    BUS_MEASUREMENT,
    CHANNEL_SETS,
    FLEET_MEASUREMENT,
    FLEET_MINUTE_MEASUREMENT,
    PLANE_MINUTE_MEASUREMENT,
    SAT_MINUTE_MEASUREMENT,
    Channel,
    ChannelSet,
)
from twin.minutes import minute_fields
from twin.rollup_minutes import OVER_TIME

HEAD = f"""# Channels

Generated from `twin/dictionary/*.yaml` by `make generate`; edit those, not this page.

Every satellite reports {len(BUS_CHANNELS)} bus channels in measurement
`{BUS_MEASUREMENT}` (tags `fleet`, `plane`, `sat`) and {len(ACCEL_CHANNELS)} channels for each
accelerator in `{ACCEL_MEASUREMENT}` (the same tags and `accel`). Numbers are floats; states are
integers. Time stamps are the satellite's own, in nanoseconds. On NVIDIA parts an accelerator
channel has its DCGM name, elsewhere ours. What is marked A is an assumption; S-numbers are
listed in `twin/presets/sources.yaml`.
"""


def channels_page() -> str:
    """The whole page."""
    parts = [HEAD, *map(_set, CHANNEL_SETS[1:]), *_minutes()]
    for _, rows in groupby(BUS_CHANNELS + ACCEL_CHANNELS, key=lambda row: row.subsystem):
        channels = list(rows)
        parts.append(f"\n## {channels[0].subsystem_title}\n")
        parts.append("| channel | unit | meaning | range | warning | critical | source |")
        parts.append("|---|---|---|---|---|---|---|")
        parts += [_row(channel) for channel in channels]
    return "\n".join(parts) + "\n"


def _minutes() -> list[str]:
    """Measurements of roll-ups over a minute and their fields."""
    over = {"max": "largest", "min": "smallest"}
    names = [(name, over.get(how, how)) for name, how in OVER_TIME.items()]
    rollups = ", ".join(f"`{name}` ({how})" for name, how in names)
    return [
        "\n## Roll-ups over a minute\n",
        "For ranges of days, in database or bucket `telemetry_1m` (`TWIN_INFLUX_DATABASE_1M`),\n"
        "kept longer than reports (docs/decisions/0017). A row has its minute's begin as time.\n",
        f"`{SAT_MINUTE_MEASUREMENT}` (tags `fleet`, `plane`, `sat`):\n",
        "| field | meaning |",
        "|---|---|",
        *(f"| `{name}` | {meaning} |" for name, meaning in minute_fields()),
        f"\n`{FLEET_MINUTE_MEASUREMENT}` (tag `fleet`) and `{PLANE_MINUTE_MEASUREMENT}` (tags "
        f"`fleet`, `plane`) have the fields of\n`{FLEET_MEASUREMENT}` over the roll-ups of the "
        f"minute: {rollups}.\n",
    ]


def _set(one: ChannelSet) -> str:
    names = ", ".join(f"`{channel.name}`" for channel in one.channels)
    return (
        f"\nA group of a scenario with `channels: {one.name}` reports {len(one.channels)} bus "
        f"channels ({one.meaning[0].lower()}{one.meaning[1:]}): {names}.\n"
    )


def _row(channel: Channel) -> str:
    name = f"`{channel.name}`"
    if channel.dcgm_name:
        name += f"<br>`{channel.dcgm_name}` ({channel.dcgm_id})"
    limits = channel.limits
    cells = [
        name,
        "state" if channel.kind == "state" else channel.unit,
        channel.meaning + _states(channel),
        _range(channel.low, channel.high),
        _limit(limits.warning_low, limits.warning_high),
        _limit(limits.critical_low, limits.critical_high),
        channel.source + (f"; limits: {channel.limit_source}" if channel.limit_source else ""),
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _states(channel: Channel) -> str:
    names = ", ".join(f"{code} {name}" for code, name in channel.states.items())
    return f" ({names})" if names else ""


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return ""
    return f"{low:g} to {high:g}" if high is not None else f"from {low:g}"


def _limit(low: float | None, high: float | None) -> str:
    sides = [f"< {low:g}" if low is not None else "", f"> {high:g}" if high is not None else ""]
    return ", ".join(side for side in sides if side)
