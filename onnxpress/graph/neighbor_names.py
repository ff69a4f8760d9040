"""How the names of initializers start that hold a neighbours model: the convert stage writes them, quantisation finds them."""

ROWS, TARGETS = "neighbor_rows", "neighbor_targets"
