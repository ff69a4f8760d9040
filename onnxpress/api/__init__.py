"""The public functions of onnxpress, one a file; :mod:`onnxpress` exports them."""
