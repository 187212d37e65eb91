"""The YAML language: files and overrides become a typed configuration, mistakes get a place.

Knows dataclasses, the registries it is handed, and positions; nothing of engines or data.
"""

from ldl.config.emit import to_yaml
from ldl.config.files import Document, read
from ldl.config.load import Loaded, load, loads
from ldl.config.messages import render, render_problem
from ldl.config.plain import plain
from ldl.config.rules import fields_of
from ldl.config.schema import json_schema
from ldl.config.tree import NOWHERE, Block, Item, Kinds, Mark, Path, Siblings, Tree

__all__ = [
    "NOWHERE",
    "Block",
    "Document",
    "Item",
    "Kinds",
    "Loaded",
    "Mark",
    "Path",
    "Siblings",
    "Tree",
    "fields_of",
    "json_schema",
    "load",
    "loads",
    "plain",
    "read",
    "render",
    "render_problem",
    "to_yaml",
]
