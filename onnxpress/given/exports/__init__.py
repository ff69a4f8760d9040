"""ONNX models as trainers of nets export them, turned into what the chain takes.

An export of PyTorch keeps its weights beside the file, has a fixed number of rows, takes images or
whole numbers, and ends in logits. Each part of this package mends one of these, and says so:

=============  ==========================================================
``weights``    weights in files beside the model are read into it
``inputs``     whole numbers, halves and images are made of the columns
``batch``      a fixed number of rows becomes any number
``heads``      logits get a label and probabilities; other outputs go
``adapting``   all but the first, and the check that answers stay the same
=============  ==========================================================
"""
