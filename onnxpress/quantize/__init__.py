"""Quantising: candidates and what they are made of."""
