"""What forest quantisation is worth, measured against scikit-learn and other forest runtimes in one run: ``make bench``."""
