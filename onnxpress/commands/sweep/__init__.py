"""Many settings of params.yaml tried as DVC experiments, and compared: ``make sweep``."""
