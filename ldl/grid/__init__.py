"""The grid: one file with a `grid` block becomes many trials, run once each and compared."""
