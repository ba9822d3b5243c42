"""The kitchen: an order becomes a ticket per station, and each is heard."""
