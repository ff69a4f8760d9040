"""Stored estimators: pickle, joblib and skops files, read without calling anything that they name.

A file is *read* into an inert description (:mod:`nodes`), the description is *judged* by the names in it, and only then is
it *built*, by constructors of ours. The file chooses among them and gives them data; it never chooses what is called.
"""
