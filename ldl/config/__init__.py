"""The YAML language: files and overrides become a typed configuration, problems get positions.

It works on dataclasses and registries that it is given, and knows no engine and no data.
"""

from ldl.config.emit import to_yaml
from ldl.config.extends import Document, read
from ldl.config.load import Loaded, load, loads
from ldl.config.messages import render, render_problem
from ldl.config.resolved import to_builtins
from ldl.config.schema import json_schema
from ldl.config.tree import NOWHERE, BlockUse, Item, KeyPath, Mark, Registries, Siblings, Tree
from ldl.config.type_rules import fields_of

__all__ = [
    "NOWHERE",
    "BlockUse",
    "Document",
    "Item",
    "KeyPath",
    "Loaded",
    "Mark",
    "Registries",
    "Siblings",
    "Tree",
    "fields_of",
    "json_schema",
    "load",
    "loads",
    "read",
    "render",
    "render_problem",
    "to_builtins",
    "to_yaml",
]
