"""onnxpress: one room per stage, in the order the data flows (see dvc.yaml)."""
