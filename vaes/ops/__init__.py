"""Vectorised, differentiable PyTorch forms of the equations.

Module, function and argument names are those of the reference, so an equation is found by the same path in both. The
functions follow the dtype and device of their tensor arguments, never synchronise with the host, and let NaN and
out-of-domain values propagate as IEEE arithmetic does instead of raising (a check would stall the device). NaN is lost
where a result only depends on a comparison with it: in draws of binary states, decisions and levels. Where torch has to
factorise a matrix of NaN, it raises; the docstring says so.
"""
