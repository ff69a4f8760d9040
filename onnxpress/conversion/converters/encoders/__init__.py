"""Encoders of categories, from tables that scikit-learn itself fills in."""
