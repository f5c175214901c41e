"""Small functions that kernels inline: without branches, so that loops over them vectorise."""

import math
from typing import Final

from numba import njit

_EIGHTH: Final = math.tan(math.pi / 8.0)
_HALF_PI: Final = 0.5 * math.pi
_QUARTER_PI: Final = 0.25 * math.pi

# arctan(t) / t as a polynomial in t^2 on |t| <= tan(pi / 8): interpolation at Chebyshev points,
# error below 2e-15 (computed by us in double precision).
_A0: Final = 1.0000000000000002
_A1: Final = -0.3333333333330287
_A2: Final = 0.1999999998755024
_A3: Final = -0.14285713071163192
_A4: Final = 0.11111058157195654
_A5: Final = -0.09089648136299566
_A6: Final = 0.07674395519100949
_A7: Final = -0.06509439380222083
_A8: Final = 0.050314584348260305
_A9: Final = -0.02535681599310118


@njit(error_model="numpy", cache=True)
def arctan2(y: float, x: float) -> float:
    """Angle of (x, y) [rad] in [-pi, pi], error below 1e-15; libm's call keeps a loop scalar.

    The smaller over the larger of |x|, |y|, turned by 45 deg above tan(22.5 deg), then a
    polynomial. (0, 0) gives nan.
    """
    wide, high = abs(x), abs(y)
    small, large = min(wide, high), max(wide, high)
    turn = small > _EIGHTH * large
    t = (small - large) / (small + large) if turn else small / large
    z = t * t
    p = _A9 * z + _A8
    p = p * z + _A7
    p = p * z + _A6
    p = p * z + _A5
    p = p * z + _A4
    p = p * z + _A3
    p = p * z + _A2
    p = p * z + _A1
    p = p * z + _A0
    angle = p * t + (_QUARTER_PI if turn else 0.0)
    angle = _HALF_PI - angle if high > wide else angle
    angle = math.pi - angle if x < 0.0 else angle
    return -angle if y < 0.0 else angle


@njit(error_model="numpy", cache=True)
def clipped(value: float, low: float, high: float) -> float:
    """The value inside [low, high]; nan becomes low."""
    value = value if value > low else low
    return value if value < high else high
