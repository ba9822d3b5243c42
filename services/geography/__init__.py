"""The earth's surface in metres: pure, in arrays, for whoever tells where things are."""
