"""What `heard doctor` looks at, a room for each: every finding says what mends it."""
