"""The reproducibility check: two fresh clones of HEAD make the same bytes, and those that dvc.lock promises."""
