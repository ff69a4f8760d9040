"""Servers under load: Triton, KServe's ModelServer and MLflow's, with the forms of one model."""
