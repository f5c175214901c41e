"""`config_hash`: one number for what a process was told, without giving a secret away."""

import re

import orjson
import pytest

from services.config_hash import settings_text
from services.metrics import Metrics
from services.mqtt import ServiceState
from services.settings import Settings, load_settings
from services.telemetry import ops_row

SECRET, OTHER = "a secret of thirty characters...", "another of thirty characters...."


def hash_with(settings: Settings, run: str = "r") -> int:
    metrics = Metrics("simulate")
    metrics.configured("settings", settings_text(settings))
    metrics.configured("run", run)
    return metrics.config_hash


def test_it_changes_with_settings_and_files_and_not_with_secrets() -> None:
    plain = hash_with(load_settings(influx_token=SECRET))
    assert plain == hash_with(load_settings(influx_token=OTHER))
    assert SECRET not in settings_text(load_settings(influx_token=SECRET))
    assert plain == hash_with(load_settings(state_dir="/elsewhere"))
    assert plain != hash_with(load_settings(influx_database="elsewhere"))
    assert plain != hash_with(load_settings(), run="another scenario, seed or epoch")
    assert 0 < plain < 2**48


@pytest.mark.parametrize("state", ["online", "offline"])
def test_state_ops_row_and_metrics_tell_the_same(state: str) -> None:
    metrics = Metrics("simulate")
    metrics.configured("settings", settings_text(load_settings()))
    service = ServiceState("fleet/v1/f/service/simulate", "simulate", lambda: metrics.config_hash)
    told = orjson.loads(service.payload(state, owed=1))
    assert told["config_hash"] == metrics.config_hash > 0
    assert b"config_hash=%r" % float(metrics.config_hash) in ops_row(metrics, 1.0)
    shown = re.search(rb"^twin_config_hash (\S+)$", metrics.exposition(), re.MULTILINE)
    assert shown and float(shown[1]) == metrics.config_hash
