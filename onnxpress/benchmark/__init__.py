"""Latency, load time and memory of models, and their statistics."""
