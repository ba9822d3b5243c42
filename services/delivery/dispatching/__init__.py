"""The live dispatcher: it plans with `services.dispatch`, and asks couriers."""
