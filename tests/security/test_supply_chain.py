"""What is installed is what was locked, and the list of parts names all of it (S10)."""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from deployment import ROOT

LOCKS = ("runtime.lock", "dev.lock")


def normal(name: str) -> str:
    """A package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(name: str) -> dict[str, tuple[str, int]]:
    """Package -> version and number of hashes."""
    text = (ROOT / "requirements" / name).read_text().replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        match = re.match(r"([A-Za-z0-9._-]+)==(\S+)", line)
        if match:
            found[normal(match[1])] = (match[2], line.count("--hash=sha256:"))
        else:
            assert not line.strip() or line.lstrip().startswith("#"), line
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_every_requirement_has_one_version_and_hashes_and_no_address(name: str) -> None:
    packages = locked(name)
    assert len(packages) > 20
    assert {package for package, (_, hashes) in packages.items() if not hashes} == set()
    assert not re.search(r"https?://|^-|file:", (ROOT / "requirements" / name).read_text(), re.M)


def test_the_two_locks_agree() -> None:
    runtime, dev = (locked(name) for name in LOCKS)
    assert {k: v for k, v in runtime.items() if dev.get(k) != v} == {}


def test_what_we_install_is_checked_and_never_built() -> None:
    makefile = (ROOT / "Makefile").read_text()
    installs = [line for line in makefile.splitlines() if re.search(r"pip install.*\.lock", line)]
    assert len(installs) >= 2
    for line in installs:
        if "golden" not in line:
            assert "--require-hashes --only-binary :all:" in line
    docker = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes" in docker
    assert "--only-binary" in docker


def test_the_list_of_parts_names_every_installed_package(tmp_path: Path) -> None:
    (recipe,) = [
        line for line in (ROOT / "Makefile").read_text().splitlines() if "cyclonedx-py" in line
    ]
    out = tmp_path / "sbom.json"
    words = recipe.split()[1:]
    words[words.index("build/sbom.json")] = str(out)
    words[-1] = sys.executable
    tool = Path(sys.executable).with_name("cyclonedx-py")
    done = subprocess.run(
        [str(tool), *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_text())
    assert document["bomFormat"] == "CycloneDX"
    parts = {normal(part["name"]): part["version"] for part in document["components"]}
    installed = {normal(one.name): one.version for one in metadata.distributions()}
    own = installed.pop("orbital-twin")
    assert document["metadata"]["component"]["version"] == own
    assert {name: v for name, v in installed.items() if parts.get(name) != v} == {}
    with_licence = [part for part in document["components"] if part.get("licenses")]
    assert len(with_licence) > 0.9 * len(parts)
