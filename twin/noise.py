"""Counter-based random numbers: a pure function of (seed, stream, satellite key, counter).

Nothing is stored and nothing is drawn in order, so any tick can be reached directly and any
shard, order or speed of the fleet gives the same bytes. The generator hashes its arguments
with the 64-bit finaliser of SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable
pseudorandom number generators"; constants of Stafford's variant 13), once for the satellite
and once for the counter, on a state derived by BLAKE2b (RFC 7693) from seed and stream.
Not for cryptography.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import numpy as np
from scipy.special import log1p, ndtri

from twin.state import FloatArray, IntArray, KeyArray

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, odd: Weyl increment
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_MASK: Final = 0xFFFFFFFFFFFFFFFF


def satellite_keys(ids: Sequence[str]) -> KeyArray:
    """64-bit stable hash of each satellite id, (n,): the first 8 bytes of BLAKE2b of its UTF-8.

    The key follows the name, so a satellite keeps its noise in any fleet, row or shard.
    """
    digests = b"".join(blake2b(name.encode(), digest_size=8).digest() for name in ids)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def derived_keys(keys: KeyArray, index: int | IntArray) -> KeyArray:
    """Independent keys for the parts of a satellite (accelerator, event kind), broadcast shape."""
    return _mixed(keys ^ _mixed(_counter(index)))


def uniform(seed: int, stream: str, keys: KeyArray, counter: int | IntArray) -> FloatArray:
    """Uniform numbers in the open interval (0, 1), broadcast shape of keys and counter.

    u = (floor(h / 2^12) + 1/2) / 2^52 with h the 64-bit hash: 2^52 equally likely midpoints,
    so 0 and 1 cannot occur and the mean is exactly 1/2. Any integer counter is allowed.
    """
    return _uniform(keys ^ np.uint64(stream_key(seed, stream)), counter)


def normal(seed: int, stream: str, keys: KeyArray, counter: int | IntArray) -> FloatArray:
    """Standard normal numbers by inversion of the distribution, broadcast shape.

    z = Phi^-1(u), the Cephes rational approximation (Moshier 1989, relative error < 1e-14):
    one uniform per number, no rejection, so counters stay aligned. |z| < 8.3.
    """
    return np.asarray(ndtri(uniform(seed, stream, keys, counter)), dtype=np.float64)


def normals(
    seed: int, streams: tuple[str, ...], keys: KeyArray, counter: int | IntArray
) -> FloatArray:
    """What `normal` gives of each stream, (streams, n), for keys (n,): many streams in one go."""
    uniforms = _uniform(keys ^ _stream_keys(seed, streams)[:, np.newaxis], counter)
    return np.asarray(ndtri(uniforms, out=uniforms), dtype=np.float64)


def exponential(seed: int, stream: str, keys: KeyArray, counter: int | IntArray) -> FloatArray:
    """Exponential numbers of mean 1 by inversion, -ln(1 - u), broadcast shape; 0 < x < 36.8."""
    return np.asarray(-log1p(-uniform(seed, stream, keys, counter)), dtype=np.float64)


@lru_cache(maxsize=1024)
def stream_key(seed: int, stream: str) -> int:
    """64-bit key of a stream: the first 8 bytes of BLAKE2b of `seed/stream`."""
    digest = blake2b(f"{seed}/{stream}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


@lru_cache(maxsize=256)
def _stream_keys(seed: int, streams: tuple[str, ...]) -> KeyArray:
    return np.array([stream_key(seed, stream) for stream in streams], dtype=np.uint64)


def _uniform(keys: KeyArray, counter: int | IntArray) -> FloatArray:
    bits = _mixed(_mixed(keys) ^ _mixed(_counter(counter)))
    bits >>= np.uint64(12)
    numbers = bits.astype(np.float64)
    numbers += 0.5
    numbers *= 2.0**-52
    return numbers


def _counter(counter: int | IntArray) -> KeyArray:
    # A Python int may exceed int64 or be negative: both wrap modulo 2^64, as casting would.
    if isinstance(counter, int):
        counts: KeyArray = np.array([counter & _MASK], dtype=np.uint64)
    else:
        counts = np.asarray(counter).astype(np.uint64)
    return counts * _GOLDEN + _GOLDEN


def _mixed(words: KeyArray) -> KeyArray:
    mixed = np.array(words, dtype=np.uint64)  # of its own: the rest is done in place
    mixed ^= mixed >> np.uint64(30)
    mixed *= _MIX_1
    mixed ^= mixed >> np.uint64(27)
    mixed *= _MIX_2
    mixed ^= mixed >> np.uint64(31)
    return mixed
