"""Alerts, whoever raises them: seen to by somebody, and shown while they stand."""
