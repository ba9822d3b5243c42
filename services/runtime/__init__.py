"""What every area stands on: bus, router, inbox, outbox and relay, database, supervision."""
