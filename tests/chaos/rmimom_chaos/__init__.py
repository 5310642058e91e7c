"""Faults for a cluster of real processes, and judges of what its clients saw: `rmimom-chaos`."""
