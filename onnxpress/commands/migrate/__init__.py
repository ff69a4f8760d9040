"""What a repository of the first edition needs to go on with this one: ``onnxpress migrate``."""
