"""Kernel machines: the support vectors of SVC, SVR and their kin, and their coefficients.

``machines`` stores both in fewer bits. The conversion writes machines as matrix products; those
that are operators of ai.onnx.ml, in a model converted elsewhere, become matrix products here.
"""
