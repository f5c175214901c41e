"""Thin async processes around the pure twin: one door for each outside system."""
