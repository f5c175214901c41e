"""How kernels are compiled, and small functions without branches that they inline."""

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
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

# pi / 2 in two parts, the first of 33 bits: its products with whole numbers below 2^20 are exact.
_HALF_PI_FIRST: Final = math.ldexp(math.floor(math.ldexp(_HALF_PI, 32)), -32)
_HALF_PI_REST: Final = _HALF_PI - _HALF_PI_FIRST + 6.123233995736766e-17  # pi / 2 less its double


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function of arrays that never overlap, so that its loops become vectors.

    Numba promises that to the compiler for the bodies of its parallel loops only; the hook with
    which a dispatcher adapts the flags of a compilation promises it here. Kernels count no
    references to arrays, which would stop vectors too, so they cannot make any. A product and a
    sum are fused into one instruction, rounded once.
    """
    return _compiled(function, {"contract"})


def exact_kernel(function: Callable[..., Any]) -> Any:
    """A kernel in which every operation is rounded, for float32 arithmetic that must be equal."""
    return _compiled(function, set())


def _compiled(function: Callable[..., Any], fastmath: set[str]) -> Any:
    made = njit(error_model="numpy", cache=True, fastmath=fastmath)(function)
    compiler = made._compiler  # type: ignore[attr-defined]
    customised = compiler._customize_flags

    def without_overlap(flags: Any) -> Any:
        flags = customised(flags)
        flags.noalias, flags.nrt = True, False
        return flags

    compiler._customize_flags = without_overlap
    return made


@njit(error_model="numpy", inline="always")
def inverse_root(x: float) -> float:
    """1 / sqrt(x) to 3e-16 for normal x > 0, without division or root; large and finite for 0.

    First guess by the bits of the number (Lomont 2003, "Fast inverse square root", in double
    precision), then four steps of Newton: a third of the time of the instructions for both.
    """
    y = np.int64(0x5FE6EB50C7B537A9) - (np.float64(x).view(np.int64) >> np.int64(1))
    root = np.int64(y).view(np.float64)
    half = 0.5 * x
    root = root * (1.5 - (half * root) * root)
    root = root * (1.5 - (half * root) * root)
    root = root * (1.5 - (half * root) * root)
    return float(root * (1.5 - (half * root) * root))


@njit(error_model="numpy", inline="always")
def arctan2(y: float, x: float) -> float:
    """Angle of (x, y) [rad] in [-pi, pi], error below 1e-15; libm's call keeps a loop scalar.

    The smaller over the larger of |x|, |y|, turned by 45 deg above tan(22.5 deg), then a
    polynomial. (0, 0) gives nan.
    """
    wide, high = abs(x), abs(y)
    small, large = min(wide, high), max(wide, high)
    turn = small > _EIGHTH * large
    over = small - large if turn else small
    under = small + large if turn else large
    t = over / under
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


@njit(error_model="numpy", inline="always")
def sine_cosine(angle_rad: float) -> tuple[float, float]:
    """Sine and cosine, error below 3e-16 for |angle| < 1.6e6 rad; libm keeps a loop scalar.

    The angle less a whole number of quarter turns, then Taylor's series on |r| <= pi / 4.
    """
    quarters = np.floor(angle_rad * (1.0 / _HALF_PI) + 0.5)
    r = (angle_rad - quarters * _HALF_PI_FIRST) - quarters * _HALF_PI_REST
    z = r * r
    p = z * (-1.0 / 1307674368000.0) + 1.0 / 6227020800.0
    p = p * z - 1.0 / 39916800.0
    p = p * z + 1.0 / 362880.0
    p = p * z - 1.0 / 5040.0
    p = p * z + 1.0 / 120.0
    p = p * z - 1.0 / 6.0
    along = p * z * r + r
    q = z * (1.0 / 20922789888000.0) - 1.0 / 87178291200.0
    q = q * z + 1.0 / 479001600.0
    q = q * z - 1.0 / 3628800.0
    q = q * z + 1.0 / 40320.0
    q = q * z - 1.0 / 720.0
    q = q * z + 1.0 / 24.0
    q = q * z - 0.5
    aside = q * z + 1.0
    halves = np.floor(quarters * 0.5)
    odd = quarters - 2.0 * halves > 0.5
    back = halves - 2.0 * np.floor(halves * 0.5) > 0.5
    sine, cosine = (aside if odd else along), (along if odd else aside)
    return (-sine if back else sine), (-cosine if odd != back else cosine)


@njit(error_model="numpy", inline="always")
def inverse_cube_root(x: float) -> float:
    """x^(-1/3) to 5e-16 for normal x > 0: a guess by the bits of the number, then Newton."""
    bits = np.float64(x).view(np.int64)
    third = (bits >> np.int64(2)) + (bits >> np.int64(4))
    third += third >> np.int64(4)
    third += third >> np.int64(8)
    third += third >> np.int64(16)
    root = np.int64(np.int64(0x553EF0FF289DD796) - third).view(np.float64)
    root = root * (4.0 - (x * root) * (root * root)) * (1.0 / 3.0)
    root = root * (4.0 - (x * root) * (root * root)) * (1.0 / 3.0)
    root = root * (4.0 - (x * root) * (root * root)) * (1.0 / 3.0)
    root = root * (4.0 - (x * root) * (root * root)) * (1.0 / 3.0)
    root = root + root * (1.0 - (x * root) * (root * root)) * (1.0 / 3.0)
    return float(root)


@njit(error_model="numpy", inline="always")
def clipped(value: float, low: float, high: float) -> float:
    """The value inside [low, high]; nan becomes low."""
    value = value if value > low else low
    return value if value < high else high
