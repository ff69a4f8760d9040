"""The stages of dvc.yaml, one file each, in the order the data flows."""

from onnxpress.pipeline.starting import begin

begin(__name__)
