"""Whether the default budgets protect what users stake on, and how small models stay."""
