"""What stages and commands share, and what they know of DVC."""
