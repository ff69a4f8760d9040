"""Models that the user brings: opened in a held process, tried, and passed on."""
