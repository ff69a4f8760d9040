"""Soaks: kill at random points, many times, and see that everything recovers."""
