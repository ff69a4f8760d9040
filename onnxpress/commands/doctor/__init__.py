"""Whether everything is there for the chain to run and to be published: ``make doctor``."""
