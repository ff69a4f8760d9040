"""What runs beside the stages: the subcommands of `onnxpress`, each with a function ``main``."""
