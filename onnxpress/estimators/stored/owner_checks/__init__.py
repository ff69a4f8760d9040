"""Checks of owners, by family: each raises Damaged where the parts of an estimator do not fit together."""
