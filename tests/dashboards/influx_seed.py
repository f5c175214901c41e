"""Line protocol of everything that dashboards ask for: a small store, or one of a whole fleet.

Values are made from the dictionary, so that each satellite and each report differs; what the
twin writes of itself (ledger, bins, roll-ups) has its fields from the twin's own lists.
"""

import re
from collections.abc import Iterator, Sequence

from dashboards.panels import QuerySpec
from dashboards.rollups import ROLLUPS
from twin.alerts import RULES
from twin.channels import ACCEL_CHANNELS, BUS_CHANNELS, Channel
from twin.ledger import FIELDS as LEDGER_FIELDS
from twin.minutes import SAT_LAYOUT
from twin.report_ages import FLEET_FIELDS
from twin.rollup_bins import DISTRIBUTIONS
from twin.rollups import TENANT_FIELDS

FLEET = "flown-2026"
SATELLITES = tuple((f"Plane{plane}", f"Sat{plane}_{sat}") for plane in (1, 2) for sat in (1, 2, 3))
TENANTS = ("uni", "bank")
REPORTS = 20
STEP_NS = 10 * 10**9
_INGEST = """
store_up broker_up watermark_lag_seconds messages_total_dead_lettered inflight
messages_total_duplicate dropped_total_spool_quota dropped_total_dlq_cap
broker_dropped_total frames_stored_total values_stored_total e2e_latency_seconds_sum
e2e_latency_seconds_count store_write_seconds_sum store_write_seconds_count queue_bytes
spool_bytes seq_gap_total dlq_total_frame dlq_total_owner dlq_total_schema dlq_total_row
store_errors_total_rejected store_errors_total_4xx store_errors_total_5xx
store_errors_total_no_answer retries_total event_loop_lag_seconds reconnects_total
asyncio_tasks
"""
_SIMULATE = """
broker_up clock_lag_seconds inflight queue_bytes event_loop_lag_seconds reconnects_total
asyncio_tasks
"""
OPS = {"ingest": _INGEST.split(), "simulate": _SIMULATE.split()}
_DRILLS = """
score detected_count missed_count false_count delay_p50_s delay_p95_s flaps_count recovery_s
"""
DRILL_FIELDS = _DRILLS.split()


def _value(channel: Channel, salt: int) -> str:
    """A value inside the channel's range that differs between satellites and reports."""
    if channel.kind == "state":
        codes = sorted(channel.states) or [0]
        return f"{codes[salt % len(codes)]}i"
    low = -90.0 if channel.low is None else channel.low
    high = 90.0 if channel.high is None else min(channel.high, 1000.0)
    low = min(low, high - 1.0)
    if channel.kind == "counter":
        return f"{salt // 5}.0"
    return f"{low + (high - low) * ((salt * 37 + 11) % 100) / 100:.3f}"


def _row(measurement: str, tags: dict[str, str], fields: dict[str, str], time_ns: int) -> str:
    head = ",".join([measurement, *(f"{key}={value}" for key, value in tags.items())])
    return f"{head} {','.join(f'{key}={value}' for key, value in fields.items())} {time_ns}"


def rollup_rows(planes: list[str], number: int, time_ns: int, sats_count: int) -> list[str]:
    """What the services write beside satellites' rows, at one moment; `number` ascends."""
    fleet = {"fleet": FLEET}
    rollup = dict.fromkeys(ROLLUPS, f"{40 + number % 5}.0")
    rows = [_row("fleet_state", fleet, rollup, time_ns)]
    rows += [_row("plane_state", fleet | {"plane": plane}, rollup, time_ns) for plane in planes]
    silence = dict(zip(FLEET_FIELDS, (f"{number % 3}.0", f"{sats_count}.0"), strict=True))
    rows.append(_row("fleet_watch", fleet, silence, time_ns))
    for one in DISTRIBUTIONS:
        for index, edge in enumerate(one.edges):
            tags = fleet | {"channel": one.channel, "le": f"{edge:g}"}
            count = sats_count // len(one.edges) + (index == number % len(one.edges))
            rows.append(_row("fleet_hist", tags, {"sats_count": f"{count}.0"}, time_ns))
    for salt, tenant in enumerate(TENANTS):
        used = dict.fromkeys(TENANT_FIELDS, f"{number + 7 * salt}.5")
        rows.append(_row("tenant_state", fleet | {"tenant": tenant}, used, time_ns))
    ledger = dict.fromkeys(LEDGER_FIELDS, f"{number}.25")
    rows.append(_row("economics", fleet, ledger, time_ns))
    for service, names in OPS.items():
        tags = {"service": service, "instance": "1"}
        rows.append(_row("ops", tags, dict.fromkeys(names, f"{number + 1}.0"), time_ns))
    return rows


def happenings(time_ns: int) -> list[str]:
    """A command, a drill and an alert, as the services store them."""
    fleet = {"fleet": FLEET}
    command = fleet | {"kind": "command_done", "target": "all"}
    drill = fleet | {"drill": "pump-failure"}
    alert = fleet | {"rule": "battery_low", "severity": "critical", "plane": "Plane1"}
    return [
        _row("events", command, {"satellites": "6.0"}, time_ns),
        _row("drills", drill, dict.fromkeys(DRILL_FIELDS, "95.0"), time_ns),
        _row("alerts", alert, {"state": '"alerting"', "value": "21.5"}, time_ns),
    ]


def lines(stop_ns: int) -> str:
    """REPORTS reports of every satellite, accelerator, plane and the fleet, up to `stop_ns`."""
    rows: list[str] = happenings(stop_ns)
    planes = sorted({plane for plane, _ in SATELLITES})
    for report in range(REPORTS):
        time_ns = stop_ns - report * STEP_NS
        rows += rollup_rows(planes, REPORTS - report, time_ns, len(SATELLITES))
        for number, (plane, sat) in enumerate(SATELLITES):
            tags = {"fleet": FLEET, "plane": plane, "sat": sat}
            salt = (REPORTS - report) * 7 + number
            bus = {row.name: _value(row, salt) for row in BUS_CHANNELS}
            rows.append(_row("sat_state", tags, bus, time_ns))
            for vendor in ("nvidia", "google"):
                cells = {row.field_name(vendor): _value(row, salt) for row in ACCEL_CHANNELS}
                rows.append(_row("accel_state", tags | {"accel": vendor}, cells, time_ns))
    return "\n".join(rows) + "\n"


def minute_lines(stop_ns: int) -> str:
    """Minutes of every satellite, plane and the fleet up to `stop_ns`; a database of their own."""
    rows: list[str] = []
    fleet = {"fleet": FLEET}
    minutes = [stop_ns - number * STEP_NS for number in range(REPORTS)]
    for number, time_ns in enumerate(minutes):
        rollup = dict.fromkeys(ROLLUPS, f"{40 + number % 5}.0")
        rows.append(_row("fleet_1m", fleet, rollup, time_ns))
        for plane in sorted({plane for plane, _ in SATELLITES}):
            rows.append(_row("plane_1m", fleet | {"plane": plane}, rollup, time_ns))
        for salt, (plane, sat) in enumerate(SATELLITES):
            cells = dict.fromkeys(SAT_LAYOUT.floats, f"{number + salt}.5")
            cells |= dict.fromkeys(SAT_LAYOUT.integers, f"{(number + salt) % 3}i")
            rows.append(_row("sat_1m", fleet | {"plane": plane, "sat": sat}, cells, time_ns))
    return "\n".join(rows) + "\n"


def asked_channels(queries: Sequence[QuerySpec]) -> list[Channel]:
    """Channels of the bus that some query reads of every satellite; the others cost it nothing."""
    texts = [query.text for query in queries if "${sat:raw}" not in query.text]
    names = {name for text in texts for name in re.findall(r'"(\w+)"', text)}
    return [row for row in BUS_CHANNELS if row.name in names]


def bulk(
    satellites: list[tuple[str, str]],
    times_ns: list[int],
    channels: Sequence[Channel],
    kinds: Sequence[str],
) -> Iterator[str]:
    """The satellites' rows at some moments, ascending, a body of line protocol for each.

    Only the channels that queries read of all satellites, and one accelerator each: a store that
    has the other fields too is not slower for these queries, because it keeps fields apart.
    kinds: which of sat_state, accel_state and sat_watch; not all are asked for of hours ago.
    """
    accelerators = [row for row in ACCEL_CHANNELS if row.kind != "float"]
    heads = [f"fleet={FLEET},plane={plane},sat={sat} " for plane, sat in satellites]
    variants = 97
    for number, time_ns in enumerate(times_ns):
        salts = [number * 7 + one for one in range(variants)]
        cells = {
            "sat_state": [",".join(f"{c.name}={_value(c, s)}" for c in channels) for s in salts],
            "accel_state,accel=0": [
                ",".join(f"{c.field_name('nvidia')}={_value(c, s)}" for c in accelerators)
                for s in salts
            ],
            "sat_watch": [f"age_s={salt % 20},late_s=0" for salt in salts],
        }
        yield "".join(
            f"{measurement},{head}{values[index % variants]} {time_ns}\n"
            for measurement, values in cells.items()
            if values[0] and measurement.partition(",")[0] in kinds
            for index, head in enumerate(heads)
        )


def week_bulk(
    satellites: list[tuple[str, str]], times_ns: list[int], queries: Sequence[QuerySpec]
) -> Iterator[str]:
    """Minutes of the fleet and its planes, those fields that queries read, a body for each."""
    names = {name for query in queries for name in re.findall(r'"(\w+)"', query.text)}
    fields = sorted(names & ROLLUPS.keys())
    planes = sorted({plane for plane, _ in satellites})
    for number, time_ns in enumerate(times_ns if fields else ()):
        cells = dict.fromkeys(fields, f"{40 + number % 5}.0")
        rows = [_row("fleet_1m", {"fleet": FLEET}, cells, time_ns)]
        rows += [_row("plane_1m", {"fleet": FLEET, "plane": one}, cells, time_ns) for one in planes]
        yield "\n".join(rows) + "\n"


def breach_bulk(satellites: list[tuple[str, str]], times_ns: list[int]) -> Iterator[str]:
    """What the watch writes of satellites that are in breach of every rule, a body for each."""
    heads = [
        f"sat_breach,fleet={FLEET},plane={plane},rule={rule.name},sat={sat} v="
        for rule in RULES
        if rule.scope == "satellite"
        for plane, sat in satellites
    ]
    for number, time_ns in enumerate(times_ns):
        yield "".join(f"{head}{number % 50}.5 {time_ns}\n" for head in heads)


def rollup_bulk(satellites: list[tuple[str, str]], times_ns: list[int]) -> Iterator[str]:
    """What the services write beside satellites' rows at some moments, a body for each."""
    planes = sorted({plane for plane, _ in satellites})
    for number, time_ns in enumerate(times_ns):
        yield "\n".join(rollup_rows(planes, number, time_ns, len(satellites))) + "\n"
