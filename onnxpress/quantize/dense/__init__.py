"""Layers of networks and coefficients of linear models: constant weights that rows multiply.

* ``layers``: which operators of a graph those are.
* ``stored``: only the storage changes, to int4 (``blocks``), int8 or float16. A runtime has float32
  weights again once it has loaded the model, so that the speed and the precision of activations
  stay.
* ``block_products``: the same blocks, multiplied as they are by an operator of onnxruntime's own.
* ``trained``: nets of fewer neurons; ``chain`` reads and writes dense layers, ``training`` trains.
* ``qat``: any net of known operators, trained by torch in a held process as it will be stored.
  ``qat_lesson`` is what is learned, ``qat_training`` and ``torch_operators`` run in the process.
* ``dynamic``, ``static``: products computed in int8, which pay for large layers only. ``ranges``
  calibrates the second, ``smoothing`` makes channels alike, ``int8_layers`` writes it.
* ``linear``: the linear operators of ai.onnx.ml as matrix products.
"""
