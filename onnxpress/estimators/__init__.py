"""Fitted estimators: what they were fitted on, and whether their answers survive the way to ONNX."""
