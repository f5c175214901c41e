"""Transparent huge pages, a switch of Linux: pages of 2 MiB for large heaps, without being asked.

A store's cache is millions of small objects all over gigabytes. With pages of 4 KiB each look at
one costs a walk through the page tables; with large ones InfluxDB takes 6 to 27 % less processor
time (docs/pipeline.md). Go's runtime does not ask for them, so under `madvise`, which
most distributions set, it goes without: `always` is for the machine of a store.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SWITCH = Path("/sys/kernel/mm/transparent_hugepage/enabled")
ALWAYS = "always"


def chosen(switch: Path = SWITCH) -> str | None:
    """`always`, `madvise` or `never`; None where the kernel has no such switch."""
    try:
        words = switch.read_text().split()
    except OSError:
        return None
    return next((word.strip("[]") for word in words if word.startswith("[")), None)


@contextmanager
def huge_pages(wanted: bool, say: Callable[[str], None], switch: Path = SWITCH) -> Iterator[None]:
    """Says which choice is in force; for the length of the context `always`, where that is wanted.

    Only root may change it, for the whole machine. It is put back at the end, also after an error
    or a first signal; a process that is killed leaves it at `always`.
    """
    before = chosen(switch)
    if before is None or before == ALWAYS or not wanted:
        say(f"transparent huge pages: {before or 'none on this machine'}")
        yield
        return
    try:
        switch.write_text(ALWAYS)
    except OSError as error:
        say(f"transparent huge pages: {before}, and they stay so: {switch}: {error.strerror}")
        yield
        return
    say(f"transparent huge pages: {ALWAYS} for this run ({before} before it and after)")
    try:
        yield
    finally:
        switch.write_text(before)
