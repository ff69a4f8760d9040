"""Quantisation: a smaller ONNX model with the same inputs and outputs, within a budget of score.

* ``options``: what the caller may set.
* ``candidates``, ``verdicts``: one way to quantise, and what became of it.
* ``methods``: from a graph to the candidates worth trying, made by ``forest/``, ``dense/``,
  ``kernel/`` and ``neighbors/``. ``storage`` writes matrices in fewer bits for the last three.
* ``trials``, ``scoring``: on which rows candidates are scored, and their loss of score.
* ``attempts``, ``ladders``, ``ranking``, ``choice``: each candidate is tried, and the best within
  the budget is chosen. ``speed`` times candidates where the objective is time.
* ``runtimes``: which releases of onnxruntime load the result, and which compute it wrongly.
"""
