"""What `make` runs beside the stages."""

from onnxpress.pipeline.starting import begin

begin(__name__)
