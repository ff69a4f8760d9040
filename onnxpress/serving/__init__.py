"""What runs where a published model is deployed."""

from pathlib import Path

ANSWERING = Path(__file__).with_name("answering.py")
"""The module that travels with a published model and predicts with it."""
COLUMNS = "columns.json"
"""Beside the model: what its columns are."""
