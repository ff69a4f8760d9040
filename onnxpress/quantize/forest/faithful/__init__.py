"""Faithful forests: some splits of the original's own trees, with leaves fitted to its answers.

* ``ladder``: the candidates, from small to large, and how one is made.
* ``originals``: the trees of a model, the rows to learn from, and the leaves that they reach.
* ``pruning``: which splits stay, and what the others become.
* ``fitting``: all leaf values together, by least squares.
* ``rounding``: leaf values in few steps, within the range that the original's have.
"""
