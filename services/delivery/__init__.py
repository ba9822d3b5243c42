"""Who brings what to whom, and when it will be there."""
