"""The equations, in NumPy and SciPy, float64: one module per topic, one pure function per equation.

Start at :mod:`reference.registry`, the table of all equations, or open the module whose name is the topic.
Logarithms are natural and information is in nats unless a name says otherwise; ``scale`` is always a standard
deviation; a log density is summed over the last axis and keeps the axes before it.
"""
