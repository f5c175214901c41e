"""A service that is told to stop while it still starts ends well: nothing is owed yet.

The program asks for this before it imports anything else, for that takes a second, and many on a
busy machine. The handlers of the event loop take over (`services/process.py`). What comes before is
the interpreter's own start, some hundredths of a second in which a signal ends it like any process.
"""

import os
import signal
from collections.abc import Sequence

SERVICES = frozenset({"up", "simulate", "ingest", "watch", "console", "store"})
PROGRAMS = frozenset({"twin", "cli.py"})  # the installed script; python -m services.cli


def is_service(arguments: Sequence[str]) -> bool:
    """Whether this process is the program (not a test of it) and about to run a service.

    A check or another command that was ended has not done what it was asked for.

    arguments: `sys.argv`.
    """
    program, *words = arguments
    is_program = program.rpartition("/")[2] in PROGRAMS
    return is_program and words[:1] != [] and words[0] in SERVICES and "--check" not in words


def end_well_when_told() -> None:
    """From here on SIGTERM and SIGINT end this process at once with exit code 0."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)


def _end(_number: int, _frame: object) -> None:
    """Not by an exception: half-imported modules of others would have to pass it on."""
    os._exit(0)
