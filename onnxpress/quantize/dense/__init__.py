"""Layers of networks and coefficients of linear models: constant matrices that rows multiply.

* ``layers``: which matrices of a graph those are.
* ``stored``: only the storage changes, to int8 or float16. A runtime has float32 weights again once
  it has loaded the model, so that the speed and the precision of activations stay.
* ``dynamic``, ``static``: products computed in int8, which pay for large layers only.
* ``linear``: the linear operators of ai.onnx.ml as matrix products.
"""
