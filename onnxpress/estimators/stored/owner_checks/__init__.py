"""Checks of owners, by family.

Each raises Damaged where the parts of an estimator do not fit together.
"""
