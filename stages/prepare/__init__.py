"""Data to training, calibration and test rows in one schema."""
