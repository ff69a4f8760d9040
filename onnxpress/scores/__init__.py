"""Scores and losses: scikit-learn's scorers on any model's predictions, and what got worse."""
