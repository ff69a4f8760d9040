"""Refined forests: a small forest, distilled from the original, in place of its trees.

* ``ladder``: the candidates, from small to large, and how one is made.
* ``subgraphs``: the model is split where its trees read their features.
* ``distillation``: the rows to learn from, and what the original predicts for them.
* ``learning``: a forest of one size, and all settings.
* ``bins``, ``grow``, ``losses``, ``refit``: boosting on histograms, then all leaves together.
* ``answers``: labels by a threshold, answers that stay positive.
* ``oblivious``: the forest as arrays, with int8 leaves.
* ``as_operators``, ``as_tree_ensemble``: written in the fewest bytes, or in the fewest operators.
* ``sum_of_leaves``: the operators that find and add up leaf values.
"""
