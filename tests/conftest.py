"""What holds for all tests: where they import from, in which order workers take them, hypothesis.

This directory becomes importable by this file being in it: tests of every folder say
`from servers import ...`.
"""

import pytest
from hypothesis import HealthCheck, settings

FIRST_FOLDERS = ("chaos", "e2e", "deploy", "security", "simulation", "grafana", "services")
"""Folders whose files are long or wait for real processes."""

# A slow machine is no failure of a law. The parent keeps what hypothesis chooses by itself in CI.
settings.register_profile(
    "patient",
    parent=settings.default,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("patient")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Workers side by side take long files first: one begun last would be waited for alone."""
    if not hasattr(config, "workerinput"):
        return
    rank = {name: place for place, name in enumerate(FIRST_FOLDERS)}
    items.sort(key=lambda item: rank.get(item.path.parent.name, len(rank)))
