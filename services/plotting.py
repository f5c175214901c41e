"""The drawing library, which only plots need: no window, no server."""

from typing import Any

from twin.errors import DependencyUnavailableError

PLAIN, BROKEN, SHADE = "#5b6b7a", "#c8462b", "#f3e3dc"


def pyplot() -> Any:
    """Matplotlib's pyplot drawing into files. Raises DependencyUnavailableError without it."""
    try:
        import matplotlib as mpl
    except ImportError:
        message = "matplotlib is not installed: pip install 'orbital-twin[plots]'"
        raise DependencyUnavailableError(message) from None
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    return plt
