"""The tick compiled: one pass over the fleet per stage, equal to the numpy path within tolerance.

twin/step.py and twin/environment.py stay the definition of the physics and the oracle of these
kernels. Importing a module of this package imports numba (about 0.5 s): only what runs a fleet
does so.
"""
