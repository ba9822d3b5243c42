"""Presence: which devices are there, weighed from births, wills and heartbeats."""
