"""Whether ONNX gives the original's scores, for every estimator, target and kind of data."""
