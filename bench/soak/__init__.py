"""Kill the chain and the publishing of its results at random moments, and see that nothing is lost: ``make soak``."""
