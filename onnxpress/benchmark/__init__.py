"""Measure the latency, the load time and the memory of models.

``measurement``         all of it: the latency of three models and of the candidates
``measure``             the measuring loop: warm-up, rounds, calls
``timed_calls``         what is timed: a call of scikit-learn, of onnxruntime, of an empty graph
``latency_statistics``  percentiles, speed-ups and their intervals
``results``             latency.json and latency_detail.json
``latency_lines``       the results and their warnings in words
``candidates``          the latency of every model that quantize could choose from
``load_cost``           load time and peak memory in a fresh process
``environment``         the machine and the libraries that were measured on

Nothing is imported here: a process that measures its own memory runs :mod:`load_cost`.
"""
