"""Running ONNX models with onnxruntime."""
