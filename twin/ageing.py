"""What total dose does to memory: errors grow and the clock margin shrinks beyond an onset."""

from typing import Final

import numpy as np

from twin.state import FloatArray

ONSET_RAD: Final = 2_000.0  # first irregularities of HBM; arXiv:2511.19468 v2; public
ERROR_GAIN_PER_KRAD: Final = 4.0  # uncorrectable and corrected errors per krad above; assumption
CLOCK_LOSS_PER_KRAD: Final = 0.05  # memory clock to be lowered per krad above; assumption
CLOCK_FLOOR_FRAC: Final = 0.5  # assumption


def memory_error_gain(dose_rad: FloatArray) -> FloatArray:
    """Memory errors over those of a young part, (n,): 1 + 4 per krad above 2 krad.

    Validity: up to 15 krad, where no HBM failed for good.
    Source: Google Suncatcher paper 2025, arXiv:2511.19468 (irregularities from 2 krad on); the
    slope is an assumption, beside it in `twin/ageing.py`.
    """
    return 1.0 + (ERROR_GAIN_PER_KRAD / 1000.0) * np.maximum(dose_rad - ONSET_RAD, 0.0)


def clock_margin_frac(dose_rad: FloatArray) -> FloatArray:
    """Clock that the memory still keeps [0.5-1], (n,): 5 % less per krad above 2 krad.

    Validity: up to 15 krad.
    Source: Google Suncatcher paper 2025, arXiv:2511.19468 (first irregularities at 2 krad); the
    slope is an assumption, beside it in `twin/ageing.py`.
    """
    loss_frac = (CLOCK_LOSS_PER_KRAD / 1000.0) * np.maximum(dose_rad - ONSET_RAD, 0.0)
    return np.maximum(1.0 - loss_frac, CLOCK_FLOOR_FRAC)
