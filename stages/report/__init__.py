"""What the run found, for people."""
