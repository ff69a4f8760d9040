"""The tree operators of ai.onnx.ml as arrays: attributes parsed once, forests found in a graph."""
