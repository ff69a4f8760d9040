"""Serve the packaged model on this machine by a real Triton: ``make serve``."""
