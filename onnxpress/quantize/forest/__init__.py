"""Tree ensembles in fewer bytes.

* ``levels``: which candidates a level of loss allows.
* ``lossless/``: the same trees in a smaller encoding, with the same predictions.
* ``refined/``: a small distilled forest in place of the trees, within the budget.
"""
