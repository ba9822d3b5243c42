"""What trackers speak, a file each. Pure: bytes in, raw fixes out."""
