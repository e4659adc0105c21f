"""Generated mutants: how many of a random sample of them the conformance suite kills, and why the others survive.

``make mutation`` runs the sample and prints the score; the hand-planted faults are in ``tests/mutants``.
"""
