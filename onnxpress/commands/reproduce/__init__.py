"""The reproducibility check: two fresh clones of HEAD make the bytes that dvc.lock promises."""
