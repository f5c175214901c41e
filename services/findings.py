"""One check of `twin doctor`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What was looked at, whether it is well, what to do if not."""

    subject: str
    is_well: bool
    detail: str
    fix: str = ""
