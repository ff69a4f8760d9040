"""Record the gated models in MLflow: one run per content, complete or marked failed, never twice."""
