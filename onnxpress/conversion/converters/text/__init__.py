"""Vectorisers of text, for what onnxruntime's Tokenizer splits as scikit-learn does."""
