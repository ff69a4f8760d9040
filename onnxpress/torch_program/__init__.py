"""Exported programs of PyTorch (``.pt2``): judged, written anew, and asked by torch.

``torch.export.load`` runs code that a hostile file brings: it unpickles the rows that the program
was exported with, evaluates the sizes of tensors as Python, and calls whatever a node names. So a
file is read here, without torch; what torch loads is written anew from what was understood.

=================  ======================================================================
``archive``        the members of the file, and the file that is written of them
``program``        the fields of the program, one check each
``fields``         what the checks are made of
``expressions``    sizes that depend on the number of rows, and how inputs are nested
``operators``      the operators that a node may call
``asking``         torch itself: its answers and its ONNX export
``preloading``     what torch imports meanwhile, of a process that may not later
=================  ======================================================================
"""
