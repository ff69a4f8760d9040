"""Compare what an endpoint answers with what model_quantized.onnx predicts."""
