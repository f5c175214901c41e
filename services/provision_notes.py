"""Annotations: what is drawn over the curves of every dashboard, or of one."""

from collections.abc import Sequence
from typing import Any

from twin.errors import OutOfRangeError

OURS = "orbital-twin"
"""Tag of every annotation of ours, by which a dashboard asks for them."""


def annotation(
    text: str,
    start_unix_s: float,
    stop_unix_s: float | None,
    tags: Sequence[str],
    dashboard_uid: str | None = None,
) -> dict[str, Any]:
    """Body of POST /api/annotations; times in milliseconds.

    Raises OutOfRangeError for an empty text or an end before the start.
    """
    if not text.strip():
        raise OutOfRangeError("text", text, "not empty", "annotation")
    if stop_unix_s is not None and stop_unix_s < start_unix_s:
        raise OutOfRangeError("--to", stop_unix_s, f"from {start_unix_s:g}", "annotation")
    body: dict[str, Any] = {
        "text": text,
        "tags": list(dict.fromkeys([OURS, *tags])),
        "time": round(start_unix_s * 1000.0),
    }
    if stop_unix_s is not None:
        body["timeEnd"] = round(stop_unix_s * 1000.0)
    if dashboard_uid is not None:
        body["dashboardUID"] = dashboard_uid
    return body
