"""The scan: whether ONNX gives the original library's scores, for every combination of estimator, target and data."""
