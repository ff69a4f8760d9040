"""``onnxpress certify``: what becomes of models in other runtimes."""
