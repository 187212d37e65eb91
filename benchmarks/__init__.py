"""Speed of training steps and whole commands against other libraries, and how cost scales.

`tasks.py` is the table of networks, `implementations/` what is timed, `timing.py` how. The programs
are `steps.py`, `commands.py`, `scaling.py` and `grids.py`; they write to `out/`.
"""
