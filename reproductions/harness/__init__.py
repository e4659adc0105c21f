"""Units, scales, store, executors and budget: how reproductions run. Knows no paper, imports no torch."""

from reproductions.harness.units import Context, DataInfo, Metric, Reproduction, Unit

__all__ = ["Context", "DataInfo", "Metric", "Reproduction", "Unit"]
