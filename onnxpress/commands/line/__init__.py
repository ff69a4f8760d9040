"""What can be typed after `onnxpress`.

Only click is imported here. A subcommand imports its function when it runs, so that
``onnxpress --help`` is quick, and a command needs only what it uses.
"""
