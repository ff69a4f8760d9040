"""Every classifier and regressor of scikit-learn through the chain's functions: what becomes of it as ONNX, quantised."""
