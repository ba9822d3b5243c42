"""Measuring Heard; see docs/performance.md."""
