"""All commands: importing a module registers its commands; the help lists them in this order."""

# isort: off
from ldl.cli.app import app
from ldl.cli import train_commands, grid_command, check_commands, evaluate_commands  # noqa: F401
from ldl.cli import runs_commands, report_command, data_commands, reference_commands  # noqa: F401

__all__ = ["app"]
