"""Models as C, WebAssembly and SQL: what answers as an ONNX file does, without any runtime.

``steps``       what is computed for one row, as a few kinds of steps
``constants``   what a runtime computes once, when it loads the model
``reading``     from the graph to steps, and a reason where that cannot be done
``oblivious``   the operators of a refined forest as one step
``trees``       the tree operators as one step
``c_source``    steps as a C99 header and source
``c_test``      a C program that tests them
``wasm``        the C compiled to WebAssembly, with a module of JavaScript
``rounding``    how far a body may be from onnxruntime, row by row
``rows``        rows and answers of onnxruntime that a body is held against
``sql``         steps as one SQL expression
"""
