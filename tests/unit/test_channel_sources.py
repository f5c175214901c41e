"""Where the dictionary says that values and limits come from can be looked up."""

import re
from importlib import resources

import yaml

from twin.channels import ACCEL_CHANNELS, BUS_CHANNELS, Channel

CHANNELS = (*BUS_CHANNELS, *ACCEL_CHANNELS)
SOURCES = yaml.safe_load(
    resources.files("twin").joinpath("presets", "sources.yaml").read_text("utf-8")
)


def texts(channel: Channel) -> str:
    return f"{channel.source}; {channel.limit_source}"


def test_a_source_is_never_a_note_of_ours() -> None:
    found = {one.name: texts(one) for one in CHANNELS if re.search(r"\w\.md\b", texts(one))}
    assert found == {}


def test_numbers_of_sources_are_in_the_list() -> None:
    named = {number for one in CHANNELS for number in re.findall(r"\((S\d+)\)", texts(one))}
    assert named
    assert named <= set(SOURCES)


def test_an_assumed_limit_says_so() -> None:
    by_name = {one.name: one.confidence for one in CHANNELS}
    assert by_name["eps_soc_pct"] == "assumption"
    assert by_name["eps_batt_health_pct"] == "assumption"  # "(A)" behind a reason
    assert by_name["tcs_die_max_t_c"] == "assumption"
    assert by_name["rad_tid_rad"] == "public"
    assert by_name["accel_ecc_dbe_count"] == "public"
