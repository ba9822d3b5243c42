"""Quality: what is checked, and what may not leave unchecked."""
