"""Repairs of skl2onnx, one a file: the symptom, the versions, the test, and when to delete it."""
