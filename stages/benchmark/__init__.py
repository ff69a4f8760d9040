"""Latency of the three models, measured so that the numbers can be trusted."""
