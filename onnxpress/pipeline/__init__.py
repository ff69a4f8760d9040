"""What stages and commands share: params, files, console, errors and exit codes, git and DVC.

=====================  ==========================================================================
``params``             the typed schema of params.yaml
``yaml_file``          YAML files that users write; ``yaml_secrets`` refuses secrets in them
``keys``               names keys of params.yaml in the errors of the library
``outputs``            the names of the files in outputs/
``files``              reads and writes them, atomically and always with the same bytes
``inputs``             schema, rows and predictions of earlier stages
``trained_model``      the estimator of train; ``model_digest`` shows whether it was exchanged
``onnx_inputs``        the ONNX models of earlier stages
``publication``        what publish records; ``provenance`` says where it comes from
``console``            lines, progress and JSON; ``redacted_streams`` keeps secrets off it
``running``            runs a stage: errors become one line and an exit code
``starting``           prepares the process before anything is imported
``signals``            what ends a stage from outside; ``watchdog`` enforces it
``memory``             limits of memory
``dependencies``       what a stage depends on must not change while it runs
``freshness``          which stages are not up to date, as DVC knows it
``copies``             the copies of the repository that experiments run in
``repository``         where the repository is
``external``           the one place that starts git and dvc
=====================  ==========================================================================
"""
