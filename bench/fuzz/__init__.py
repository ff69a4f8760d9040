"""Made and damaged model files by the hundred thousand, none of which may run, hang or crash.

``opcodes`` and ``descriptions`` make pickles, ``mutations`` damage real files, ``onnx_files``
damage ONNX models; ``watch`` says what a case has done, ``workers`` run them in forks, and
``report`` counts. All are seeded: a case is found again by its kind, seed and number.
"""
