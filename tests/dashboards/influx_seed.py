"""Line protocol made from the dictionary: what the services write, for as many reports as asked."""

from dashboards.rollups import ROLLUPS
from twin.channels import ACCEL_CHANNELS, BUS_CHANNELS, Channel

FLEET = "flown-2026"
SATELLITES = tuple((f"Plane{plane}", f"Sat{plane}_{sat}") for plane in (1, 2) for sat in (1, 2, 3))
REPORTS = 20
STEP_NS = 10 * 10**9


def _value(channel: Channel, salt: int) -> str:
    """A value inside the channel's range that differs between satellites and reports."""
    if channel.kind == "state":
        codes = sorted(channel.states) or [0]
        return f"{codes[salt % len(codes)]}i"
    low = -90.0 if channel.low is None else channel.low
    high = 90.0 if channel.high is None else min(channel.high, 1000.0)
    low = min(low, high - 1.0)
    return f"{low + (high - low) * ((salt * 37 + 11) % 100) / 100:.3f}"


def _row(measurement: str, tags: dict[str, str], fields: dict[str, str], time_ns: int) -> str:
    head = ",".join([measurement, *(f"{key}={value}" for key, value in tags.items())])
    return f"{head} {','.join(f'{key}={value}' for key, value in fields.items())} {time_ns}"


def lines(stop_ns: int) -> str:
    """REPORTS reports of every satellite, accelerator, plane and the fleet, up to `stop_ns`."""
    rows: list[str] = []
    rollup = dict.fromkeys(ROLLUPS, "42.0")
    for report in range(REPORTS):
        time_ns = stop_ns - report * STEP_NS
        rows.append(_row("fleet_state", {"fleet": FLEET}, rollup, time_ns))
        for plane in sorted({plane for plane, _ in SATELLITES}):
            rows.append(_row("plane_state", {"fleet": FLEET, "plane": plane}, rollup, time_ns))
        for number, (plane, sat) in enumerate(SATELLITES):
            tags = {"fleet": FLEET, "plane": plane, "sat": sat}
            salt = report * 7 + number
            bus = {row.name: _value(row, salt) for row in BUS_CHANNELS}
            rows.append(_row("sat_state", tags, bus, time_ns))
            for vendor in ("nvidia", "google"):
                cells = {row.field_name(vendor): _value(row, salt) for row in ACCEL_CHANNELS}
                rows.append(_row("accel_state", tags | {"accel": vendor}, cells, time_ns))
    return "\n".join(rows) + "\n"
