"""The proof: scores, agreement, probes, and rows that do not depend on each other."""
