"""The benchmarks behind every figure we state. `make bench` runs them all; figures are ratios within one run."""
