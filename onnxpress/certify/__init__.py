"""Replay rows in other runtimes, and what is known of the releases of onnxruntime.

``usual``         the runtimes that ``onnxpress certify`` goes through
``releases``      the releases of onnxruntime, and the Pythons that each has wheels for
``environments``  a folder of packages per runtime, installed once into the user's cache
``replaying``     start a runtime on model files and rows, and take its answers
``in_browser``    the same in headless Chromium
``comparing``     hold the answers against those of the onnxruntime installed here
``certifying``    all of it: models and rows in, what came of them in each runtime out
``table``         the same as tables and lines
``elsewhere``     runtimes that a candidate has to answer equally in too
``features``      what of a graph decides whether a release computes it
``evidence``      in which releases graphs with these features were tried, and what came of it
``scripts/``      what runs inside the other runtimes
"""
