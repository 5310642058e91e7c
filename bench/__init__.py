"""Benchmarks: each prints ratios against a baseline taken in the same run, for machines differ and are shared."""
