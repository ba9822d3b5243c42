"""Who belongs: tenants, and the devices that hold credentials."""
