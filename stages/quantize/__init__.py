"""ONNX to quantised ONNX: every candidate tried, scored on rows that nothing learned from, and told honestly."""
