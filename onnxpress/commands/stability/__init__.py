"""How often each gate fails when split, fit and choice are repeated: ``make stability``."""
