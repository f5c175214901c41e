"""What `twin provision` can be asked for; apart, so that the command line loads nothing for it."""

from typing import Final, Literal

Part = Literal["store", "dashboards", "rules", "routing", "account"]
PARTS: Final[tuple[Part, ...]] = ("store", "dashboards", "rules", "routing", "account")
