"""The run folder: its files, status, environment record and checkpoints. Loads no NumPy."""

from ldl.atomic_file import write_bytes, write_text
from ldl.runs.json_files import read_json, read_mapping, to_json, write_json
from ldl.runs.metrics_file import MetricsWriter, read_metrics
from ldl.runs.run_folder import RunFolder, runs_root
from ldl.runs.status import Status
from ldl.runs.tensors import load_tensors, save_tensors

__all__ = [
    "MetricsWriter",
    "RunFolder",
    "Status",
    "load_tensors",
    "read_json",
    "read_mapping",
    "read_metrics",
    "runs_root",
    "save_tensors",
    "to_json",
    "write_bytes",
    "write_json",
    "write_text",
]
