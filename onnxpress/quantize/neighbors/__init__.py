"""Nearest neighbours: the training rows that the model holds, and their targets.

``stored_rows`` stores both in fewer bits, in the matrix products that the conversion writes.
"""
