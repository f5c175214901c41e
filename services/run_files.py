"""Tables of an offline run as Parquet or CSV, written whole or not at all.

Rows are gathered in a DuckDB file beside the folder, so that a long run does not fill memory.
The folder appears under its name only when everything is in it.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

import duckdb
import numpy as np
from numpy.typing import NDArray

from twin.errors import ConfigurationError, Problem

FileFormat = Literal["parquet", "csv", "both"]
Columns = Mapping[str, NDArray[Any]]
BUFFER_ROWS: Final = 20_000  # rows of a table that wait in memory
_WORK: Final = "rows.duckdb"
_OPTIONS: Final = {
    "parquet": "FORMAT parquet, COMPRESSION zstd",
    "csv": "FORMAT csv, HEADER true, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%SZ'",
}


class RunFiles:
    """Tables under a folder that does not exist yet; nothing of them is left by a run that fails.

    Raises ConfigurationError where the folder is there already or cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            _refuse(folder, "is there already; choose another folder with --out or remove it")
        self.work = folder.parent / f".{folder.name}.part{os.getpid()}"
        try:
            self.work.mkdir(parents=True)
        except OSError as error:
            _refuse(folder, f"cannot be made: {error.strerror}")
        self._waiting: dict[str, list[Columns]] = {}
        self._known: set[str] = set()
        # One thread: the same rows give the same file.
        self._store = duckdb.connect(str(self.work / _WORK), config={"threads": 1})

    def __enter__(self) -> "RunFiles":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._store.close()
        shutil.rmtree(self.work, ignore_errors=True)

    def add(self, table: str, columns: Columns) -> None:
        """More rows of a table; its columns are those of its first rows."""
        waiting = self._waiting.setdefault(table, [])
        waiting.append(columns)
        if sum(len(next(iter(one.values()))) for one in waiting) >= BUFFER_ROWS:
            self._flush(table)

    def publish(self, file_format: FileFormat) -> list[Path]:
        """Write every table, then give the folder its name. The files, in order of name."""
        kinds = ("parquet", "csv") if file_format == "both" else (file_format,)
        for table in list(self._waiting):
            self._flush(table)
        for table in sorted(self._known):
            for kind in kinds:
                target = str(self.work / f"{table}.{kind}").replace("'", "''")
                self._store.execute(f"COPY {table} TO '{target}' ({_OPTIONS[kind]})")
        self._store.close()
        (self.work / _WORK).unlink()
        try:
            self.work.rename(self.folder)
        except OSError as error:
            _refuse(self.folder, f"cannot be written: {error.strerror}")
        return sorted(self.folder.iterdir())

    def _flush(self, table: str) -> None:
        waiting = self._waiting.pop(table)
        rows = {name: np.concatenate([one[name] for one in waiting]) for name in waiting[0]}
        self._store.register("more_rows", rows)
        verb = f"INSERT INTO {table}" if table in self._known else f"CREATE TABLE {table} AS"
        self._store.execute(f"{verb} SELECT * FROM more_rows")
        self._store.unregister("more_rows")
        self._known.add(table)


def _refuse(folder: Path, message: str) -> None:
    raise ConfigurationError([Problem(str(folder), None, "--out", message)]) from None
