"""ONNX graphs: forms that every runtime computes alike."""
