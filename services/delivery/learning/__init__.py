"""How long an order takes from its placing to the door, learned from orders of the past. Pure.

Arrays in, arrays out: the live service, the evaluation and the simulation run the same code.
"""
