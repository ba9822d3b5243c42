"""How far it is from door to door: by the straight line, or by a routing engine."""
