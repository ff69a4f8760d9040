"""Forests in fewer bytes, with the same predictions."""
