"""Fitted estimators to ONNX, by our own converters where skl2onnx has none or is wrong."""
