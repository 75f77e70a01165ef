"""Benchmarks: `python -m bench`. Figures are ratios within one run, for machines differ."""
