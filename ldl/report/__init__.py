"""Pages of a run, of several runs, and of claims compared with measured values."""
