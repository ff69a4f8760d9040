"""onnxpress: what the stages compute with, one room per job; it opens no outputs and reads no params."""
