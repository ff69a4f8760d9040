"""Meta-estimators: what they make of the answers of the estimators inside them."""
