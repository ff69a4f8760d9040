"""Estimator to ONNX: what skl2onnx leaves to be done before and after it."""
