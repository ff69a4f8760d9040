"""What a model file holds: ``onnxpress inspect FILE``."""
