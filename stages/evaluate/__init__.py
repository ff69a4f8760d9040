"""The proof: original, ONNX and quantised model side by side on test rows and on probe rows."""
