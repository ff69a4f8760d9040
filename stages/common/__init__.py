"""What two or more stages share, and nothing else."""
