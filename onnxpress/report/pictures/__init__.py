"""The pictures of the plot stage."""
