"""Where things are: positions from many kinds of tracker, cleaned, kept and told."""
