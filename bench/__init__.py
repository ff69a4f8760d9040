"""Forest quantisation against scikit-learn and other forest runtimes in one run: ``make bench``."""
