"""Converters of our own, where skl2onnx has none or gives other predictions than scikit-learn."""
