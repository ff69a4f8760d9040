"""Training rows to a fitted scikit-learn estimator."""
