"""The first parts of the names of initializers that hold a neighbours model.

The conversion writes them, the quantisation finds them.
"""

ROWS, TARGETS = "neighbor_rows", "neighbor_targets"
