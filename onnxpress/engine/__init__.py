"""Where independent calculations run: here, or on the workers of a Dask cluster.

The results are the same, byte for byte: a worker has to have our code, our versions and our kind of
processor, and whoever submits tasks takes their results in a fixed order.
"""
