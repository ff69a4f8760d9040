"""scikit-learn estimator to a canonical ONNX model with the contract's inputs and outputs."""
