"""Pages: of a run, of several side by side, and of claims held against our figures."""
