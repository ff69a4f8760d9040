"""The proof: rows that ask a model at its own thresholds, and what its answers must hold to."""
