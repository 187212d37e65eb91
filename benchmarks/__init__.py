"""Speed of training steps and of whole commands against peers, and how cost grows with the work.

`tasks.py` is the table of rows, `contenders/` who takes part, `race.py` how a row is measured;
`steps.py`, `commands.py` and `scaling.py` are the programs, and `out/` is what they leave.
"""
