"""The chain as steps of a Kubeflow pipeline (KFP v2).

``pipeline.py`` runs where KFP is installed. The other modules do the work of the steps, in the
environment of the chain; each takes its arguments as one JSON object.
"""
