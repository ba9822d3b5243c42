"""Notices: whoever wants to know of a change is told, once, over a channel of the house."""
