"""Orders: kept exactly once, priced from the menu, moved on by the kitchen."""
