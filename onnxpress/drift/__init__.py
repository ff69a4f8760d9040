"""Drift: how far the rows that a model is asked about have moved from those it has learnt from."""
