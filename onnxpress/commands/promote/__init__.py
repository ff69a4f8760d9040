"""Make the candidate the champion of its registered model, if it is better: ``make promote``."""
