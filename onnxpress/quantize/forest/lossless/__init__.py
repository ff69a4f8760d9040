"""Tree ensembles in a smaller encoding, with the same predictions to the last bit of raw scores.

A rewrite goes through these files from top to bottom:

* ``rewrite``: finds the tree nodes of a model and puts what replaces them into a copy.
* ``code_columns``: splits on sets of categories become splits on computed columns.
* ``passes``, ``leaves``: fewer splits and fewer leaves, numbered for short varints.
* ``lowering``: the operators around TreeEnsemble (ai.onnx.ml 5), added at a ``site`` of the graph.
* ``leaf_table``: leaves that add to several targets, as rows of a small table.
* ``tree_ensemble``, ``portable``: write the node of ai.onnx.ml 5, or one of ai.onnx.ml 1 and 3.
"""
