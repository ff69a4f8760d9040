"""``onnxpress drift``: hold rows of a file or a log against the training rows."""
