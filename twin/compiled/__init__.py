"""The tick compiled: one pass over the fleet per stage, equal to the numpy path within tolerance.

twin/step.py and twin/environment.py stay the definition of the physics and the oracle of these
kernels. Importing a module of this package imports numba (about 0.5 s): only what runs a fleet
does so.

Machine code is kept on disk between runs (numba's cache). Numba looks at a function's own file
only, and these kernels freeze constants and functions of many, so the folder is named after a
digest of all sources: a changed constant anywhere in `twin` compiles anew. The folder is
NUMBA_CACHE_DIR or the user's cache, and the temporary folder where that cannot be written.
"""

import hashlib
import os
import tempfile
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import numba
from numba.core.codegen import get_host_cpu_features


def source_digest() -> str:
    """Digest of the package's sources and of the compiler's version, 16 hexadecimal digits."""
    digest = hashlib.sha256(numba.__version__.encode())
    for name, source in sorted(_sources(files("twin"), ""), key=lambda one: one[0]):
        digest.update(name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:16]


def _sources(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    found = []
    for one in folder.iterdir():
        if one.is_dir():
            found += _sources(one, f"{prefix}{one.name}/")
        elif one.name.endswith(".py"):
            found.append((prefix + one.name, one))
    return found


def _cache_folder() -> str:
    given = os.environ.get("NUMBA_CACHE_DIR")
    home = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    for base in (given, home, tempfile.gettempdir()):
        if base:
            folder = Path(base) / "orbital-twin" / source_digest()
            try:
                folder.mkdir(parents=True, exist_ok=True)
                tempfile.TemporaryFile(dir=folder).close()
            except OSError:
                continue
            return str(folder)
    return tempfile.mkdtemp(prefix="orbital-twin-")


numba.config.CACHE_DIR = _cache_folder()  # type: ignore[attr-defined]


def _cpu_features() -> str | None:
    # Where there are 512-bit vectors, use them: by default only 256 bits of them are, which
    # twice as many instructions cost more than the lower clock of older processors.
    features = str(get_host_cpu_features())  # type: ignore[no-untyped-call]
    return f"{features},-prefer-256-bit" if "+avx512f" in features else None


if numba.config.CPU_FEATURES is None:  # type: ignore[attr-defined]
    numba.config.CPU_FEATURES = _cpu_features()  # type: ignore[attr-defined]
