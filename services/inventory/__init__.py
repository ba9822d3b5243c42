"""Stock: what there is, what orders take of it, and what to buy."""
