"""How time and memory grow with rows, columns and trees, and what more workers save."""
