"""Replay rows in other runtimes, and what is known of the releases of onnxruntime.

``runtimes``      names of runtimes, and the list that ``onnxpress certify`` goes through
``releases``      the releases of onnxruntime, and the Pythons that each has wheels for
``environments``  a folder of packages per runtime, installed once into the user's cache
``replaying``     start a runtime on model files and rows, and take its answers
``in_browser``    the same in headless Chromium
``comparing``     hold the answers against those of the onnxruntime installed here
``features``      what of a graph decides whether a release computes it
``evidence``      in which releases graphs with these features were tried, and what came of it
``scripts/``      what runs inside the other runtimes
"""
