"""What becomes of every classifier and regressor of scikit-learn as ONNX, and quantised."""
