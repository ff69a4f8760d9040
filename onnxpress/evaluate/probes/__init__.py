"""Make probe rows: rows at the thresholds of a model's trees, and unusual mixed rows.

``probe_rows``       all of it: training rows in, probe rows out
``threshold_rows``   pairs of neighbouring rows on both sides of every split
``splits``           reads the trees of a model, and finds the splits that are distinct
``rows_at_splits``   which training rows reach a split
``raw_columns``      which column of the data moves what a split compares
``starting_pairs``   two values on different sides of a split
``bisection``        moves the two together until they are neighbouring float32 numbers
``float_order``      float32 numbers as whole numbers in the same order
``row_sets``         counts, joins and mixes rows
"""
