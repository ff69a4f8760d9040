"""Make the champion before the champion again: ``make rollback``."""
