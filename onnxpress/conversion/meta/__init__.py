"""Meta-estimators: what they make of the predictions of the estimators inside them."""
