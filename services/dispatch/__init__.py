"""Who takes which order, in which sequence, leaving when: dispatch timed to the food."""
