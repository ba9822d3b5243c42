"""The back end: what keeps orders, runs the kitchen, and answers devices.

An area is a room with three shelves: ``rules.py`` decides and touches nothing,
``store.py`` reads and writes, ``handlers.py`` joins the two. Areas meet through
messages, facts and ports of :mod:`services.runtime`; they never import each other.
"""
