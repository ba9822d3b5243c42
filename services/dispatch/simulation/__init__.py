"""An evening that never was: late kitchens, couriers who decline, policies side by side. Pure."""
