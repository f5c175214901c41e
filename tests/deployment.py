"""What the deployment tests share: the repository's root, its files, its scripts as modules."""

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
COMPOSE_FILE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "Dockerfile"
LOCK_FILE = ROOT / "deploy" / "images.lock"


@cache
def script(name: str) -> ModuleType:
    """A file of scripts/ as a module; they are programs, not a package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@cache
def compose() -> dict[str, Any]:
    """docker-compose.yml with its anchors and merges resolved."""
    document: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
    return document


def environment(service: dict[str, Any]) -> dict[str, str]:
    """A service's environment as a mapping, whichever way it is written."""
    given = service.get("environment", {})
    if isinstance(given, list):
        return dict(row.split("=", 1) for row in given)
    return {key: str(value) for key, value in given.items()}
