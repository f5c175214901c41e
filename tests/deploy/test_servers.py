"""The fixtures themselves: they start, they serve, and they leave nothing behind."""

import json
import os
import signal
import socket

import pytest
from servers import free_port, influxd_server, mosquitto_server, rendered_listener


def test_influxd_stores_and_answers_and_its_group_is_gone_afterwards() -> None:
    with influxd_server("telemetry") as store:
        store.write("telemetry", "m,sat=A v=1.5 1000\n")
        answer = json.loads(store.query('SELECT "v" FROM "m"', "telemetry"))
        assert answer["results"][0]["series"][0]["values"] == [[1000, 1.5]]
    with pytest.raises(ProcessLookupError):
        os.killpg(store.process.pid, 0)


def test_mosquitto_accepts_connections_and_its_group_is_gone_even_after_a_failure() -> None:
    with pytest.raises(ZeroDivisionError), mosquitto_server() as broker:
        with socket.create_connection((broker.host, broker.port), timeout=5):
            pass
        raise ZeroDivisionError
    with pytest.raises(ProcessLookupError):
        os.killpg(broker.process.pid, 0)


def test_a_broker_restarts_in_place_after_a_kill() -> None:
    with mosquitto_server() as first:
        first.stop(signal.SIGKILL)
        with mosquitto_server(port=first.port) as second:
            assert second.url == first.url


def test_the_listener_is_moved_and_two_are_refused() -> None:
    port = free_port()
    text = rendered_listener("listener 1883 0.0.0.0\nallow_anonymous false\n", port)
    assert f"listener {port} 127.0.0.1" in text
    assert "0.0.0.0" not in text
    with pytest.raises(ValueError, match="2 listeners"):
        rendered_listener("listener 1\nlistener 2\n", port)
