"""How often an address may show a wrong token: a few times, then less and less often.

A wrong token beyond FREE_COUNT in a row closes the door to that address for a second, the next for
two, and so on up to LONGEST_S; while it is closed no token is looked at, so that guessing gains
nothing, not even the right one. A right token opens it again; so does time.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

FREE_COUNT: Final = 5  # wrong tokens before the first wait; our choice
LONGEST_S: Final = 300.0
FORGOTTEN_AFTER_S: Final = 600.0  # without another wrong one
ADDRESSES_LIMIT: Final = 4096  # about 1 MB; the one that was wrong longest ago makes way


@dataclass
class _Record:
    count: int = 0
    last_s: float = 0.0
    closed_until_s: float = 0.0


class LoginLimit:
    """Wrong tokens by address; of IPv6 by network, of which one customer has one (RFC 6177)."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def __len__(self) -> int:
        return len(self._records)

    def wait_s(self, address: str | None) -> float:
        """How long the door is still closed to an address [s]; 0 if it is open."""
        record = self._records.get(_key(address))
        return 0.0 if record is None else max(0.0, record.closed_until_s - self._now_s())

    def was_wrong(self, address: str | None) -> float:
        """Note a wrong token; how long the door is closed from now on [s]."""
        key, now_s = _key(address), self._now_s()
        record = self._records.setdefault(key, _Record())
        self._records.move_to_end(key)
        if now_s - record.last_s > FORGOTTEN_AFTER_S:
            record.count = 0
        record.count, record.last_s = record.count + 1, now_s
        beyond = record.count - FREE_COUNT
        closed_s = min(LONGEST_S, 2.0 ** min(beyond - 1, 20)) if beyond > 0 else 0.0
        record.closed_until_s = now_s + closed_s
        while len(self._records) > ADDRESSES_LIMIT:
            self._records.popitem(last=False)
        return closed_s

    def was_right(self, address: str | None) -> None:
        """Nothing is held against this address any more."""
        self._records.pop(_key(address), None)


def _key(address: str | None) -> str:
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return ""
    if found.version == 6 and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found.ipv4_mapped if found.version == 6 else found)
