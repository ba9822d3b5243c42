"""The menu: what can be ordered, at what price, and which station makes it."""
