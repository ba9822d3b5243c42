"""Staff: who is on duty where, and what they tell each other."""
