"""Addresses and secrets: read strictly, never shown."""
