"""Reports of many shards at once, and of chosen channels."""

import numpy as np
import pytest

from twin.channels import BUS_CHANNELS, CHANNEL_SETS
from twin.errors import ConfigurationError
from twin.frames import encode_rows
from twin.reports import (
    COMPILED_FROM_ROWS,
    LINES_PER_SHARD,
    VALUES_PER_SHARD,
    encode_report,
    encode_reports,
    encoder_for,
    plan_shards,
    shard_size,
)
from twin.scenario import build_fleet, load_scenario
from twin.sensors import snapshot
from twin.step import initial_state
from twin.surroundings import surroundings

SCENARIO = """\
name: two-kinds
epoch: 2026-10-01T00:00:00Z
step_s: 1
fleet:
  - id: watched
    preset: spacex-ai1
    orbit:
      walker_delta: {{planes: 2, per_plane: {count}, altitude_km: 610, inclination_deg: 42}}
    channels: {channels}
  - id: whole
    preset: amazon-leo-relay
    orbit:
      walker_delta: {{planes: 2, per_plane: {count}, altitude_km: 630, inclination_deg: 42}}
"""


def seen_fleet(count=90, channels="housekeeping"):
    text = SCENARIO.format(count=count, channels=channels)
    scenario = load_scenario("s.yaml", lambda _: text)
    build = build_fleet(scenario, scenario.epoch_unix_s, lambda _: "")
    environment = surroundings(
        build.places, scenario.epoch_unix_s, scenario.environment.settings()
    ).at(0.0)
    state = initial_state(build.fleet, environment, 1)
    return build.fleet, snapshot(build.fleet, state, environment, 1, 7)


def fields_of(line):
    return dict(cell.split(b"=") for cell in line.split(b" ")[1].split(b","))


def test_unit_shards_together_report_the_bytes_of_each_alone():
    fleet, seen = seen_fleet()
    shards = plan_shards(fleet, 1.0)
    assert len(shards) > 3
    alone = [encode_report(shard, seen, 5) for shard in shards]
    assert list(encode_reports(shards, seen, 5)) == alone
    many = encoder_for(shards)
    assert many is not encode_rows
    assert list(encode_reports(shards, seen, 5, many)) == alone


def test_unit_large_fleets_have_large_shards_below_what_brokers_take():
    sizes = {n: shard_size(n) for n in (1, 1_000, 2_560, 5_000, 10_000, 1_000_000)}
    assert sizes == {1: 128, 1_000: 128, 2_560: 128, 5_000: 250, 10_000: 500, 1_000_000: 512}
    scenario = load_scenario(
        "s.yaml", lambda _: SCENARIO.format(count=3000, channels="housekeeping")
    )
    fleet = build_fleet(scenario, scenario.epoch_unix_s, lambda _: "").fleet
    shards = plan_shards(fleet, 1.0)
    assert sum(len(one.rows) for one in shards) == fleet.count == 12_000
    for one in shards:
        values = one.bus.layout.floats + one.bus.layout.integers
        assert len(one.rows) * len(values) <= VALUES_PER_SHARD
        assert len(one.rows) + len(one.accelerators) <= LINES_PER_SHARD
    relays = max(len(one.rows) for one in shards if not one.accelerators.size)
    assert relays == VALUES_PER_SHARD // len(BUS_CHANNELS)


def test_unit_a_small_fleet_needs_no_compiler():
    fleet, _ = seen_fleet(count=2)
    shards = plan_shards(fleet, 1.0)
    assert sum(len(one.rows) + len(one.accelerators) for one in shards) < COMPILED_FROM_ROWS
    assert encoder_for(shards) is encode_rows


def test_unit_a_set_leaves_channels_out_and_changes_no_value():
    fleet, seen = seen_fleet(count=3)
    _, whole = seen_fleet(count=3, channels="all")
    chosen = {channel.name.encode() for channel in CHANNEL_SETS[1].channels}
    assert len(CHANNEL_SETS[1].channels) == 50
    for shard, full in zip(plan_shards(fleet, 1.0), plan_shards(whole.fleet, 1.0), strict=True):
        lines = encode_report(shard, seen, 5).splitlines()
        wanted = encode_report(full, whole, 5).splitlines()
        for line, full_line in zip(lines, wanted, strict=True):
            some, every = fields_of(line), fields_of(full_line)
            if line.startswith(b"sat_state") and b"sat=watched" in line:
                assert set(some) == set(every) & chosen and len(some) >= 49
                every = {name: every[name] for name in some}
            assert some == every


def test_unit_every_set_counts_its_frames():
    names = [channel.name for channel in BUS_CHANNELS]
    for one in CHANNEL_SETS:
        assert "tm_seq" in [channel.name for channel in one.channels]
        assert [c.name for c in one.channels] == [
            n for n in names if n in {c.name for c in one.channels}
        ]


def test_unit_an_unknown_set_is_named_with_those_there_are():
    with pytest.raises(ConfigurationError) as caught:
        seen_fleet(channels="everything")
    assert "fleet.0.channels: unknown set 'everything'; allowed: all, housekeeping" in str(
        caught.value
    )


def test_unit_sets_name_channels_of_the_dictionary_only():
    assert all(
        np.isin([c.name for c in one.channels], [c.name for c in BUS_CHANNELS]).all()
        for one in CHANNEL_SETS
    )
