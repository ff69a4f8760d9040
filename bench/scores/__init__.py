"""Every combination of estimator, target and data that the scan knows: does ONNX give the original's scores?"""
