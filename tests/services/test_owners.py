"""Who may name which satellite, read again while running: a bad file changes nothing."""

from pathlib import Path

import pytest

from services.lanes import Lanes, RefusedMessageError
from services.metrics import Metrics
from services.mqtt import Message
from services.owners import Owners, owners_text, read_owners
from services.settings import Settings
from twin.errors import ConfigurationError
from twin.frames import FRAME_VERSION, FrameHeader, batch

HEADER = FrameHeader(FRAME_VERSION, "f", "run", "s0000", 0, 0, 10, 1, 0, 0)
ROW = b"sat_state,fleet=f,plane=p,sat=A a=1.0 10\n"
GOOD = "fleets:\n  f:\n    s0000: [A, B]\n    s0001: [C]\n"
OTHER = "fleets:\n  f:\n    s0000: [B]\n    s0001: [A, C]\n"


def send(lanes: Lanes) -> None:
    message = Message("fleet/v1/f/tlm/s0000", batch(HEADER, ROW), False, lambda: None)
    assert lanes.check(message) is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fleets:\n  f:\n    s0000: A\n", ":3: fleets.f.s0000: "),
        ("fleets:\n  f:\n    s0000: [A]\n    s0001: [A]\n", ":4: fleets.f.s0001: A is listed in"),
        ("flets: {}\n", "did you mean 'fleets'"),
        ("fleets: [\n", "not YAML"),
        ("fleets:\n  f:\n    s0000: ['a b']\n", ":3: "),
        ("", "must be a mapping"),
    ],
)
def test_a_bad_file_is_named_by_line_and_keeps_the_old_table(
    tmp_path: Path, text: str, said: str
) -> None:
    path, metrics = tmp_path / "owners.yaml", Metrics("ingest")
    path.write_text(GOOD)
    owners = Owners(path, metrics)
    lanes = Lanes(lambda: owners.table)
    before = metrics.config_hash
    path.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        read_owners(path)
    assert said in str(refused.value)
    assert str(path) in str(refused.value)
    for failures in range(1, 21):
        owners.reload(lanes)
        assert metrics.reload_failures == failures
        send(lanes)
    assert metrics.config_hash == before
    assert "config_reload_failures_total 20.0" in metrics.exposition().decode()


def test_a_new_table_is_in_force_at_once(tmp_path: Path) -> None:
    path, metrics = tmp_path / "owners.yaml", Metrics("ingest")
    path.write_text(GOOD)
    owners = Owners(path, metrics)
    lanes = Lanes(lambda: owners.table)
    send(lanes)
    before = metrics.config_hash
    path.write_text(OTHER)
    owners.reload(lanes)
    assert metrics.config_hash != before
    with pytest.raises(RefusedMessageError, match="another shard: A"):
        send(lanes)
    path.write_text(GOOD)
    owners.reload(lanes)
    send(lanes)
    assert metrics.config_hash == before


def test_the_file_of_a_scenario_lists_every_satellite(tmp_path: Path) -> None:
    path = tmp_path / "owners.yaml"
    path.write_text(owners_text(Settings(scenario="flown-2026", epoch="2026-10-01T00:00:00Z")))
    table = read_owners(path)["flown-2026"]
    assert len(table) == 25
    assert table["STARCLOUD_1"].startswith("s0")
