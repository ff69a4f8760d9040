"""Run the `onnxpress` command as ``python -m onnxpress``."""

from onnxpress.cli import main

main()
