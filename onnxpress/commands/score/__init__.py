"""``onnxpress score``: the predictions of a model for all rows of a table or a folder."""
