"""MLflow: the store, its checks, retries, publishing once, the registry."""
