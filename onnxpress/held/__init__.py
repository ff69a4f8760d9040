"""Open untrusted files in a sandboxed process.

No network, no programs, no file to write, and limits.

A *keeper* is a clean interpreter that imports what is heavy once. For each order it forks a
child, which locks itself up (:mod:`locks`) and then opens the file. What comes back is data: JSON
and bytes.
"""

from __future__ import annotations

from onnxpress.held.answers import Answer, Order
from onnxpress.held.errors import Died, Failed, Lost, NotStarted, OutOfMemory, OutOfTime
from onnxpress.held.keeping import Keeper, begin
from onnxpress.held.locks import missing
from onnxpress.held.settings import Settings, settings

__all__ = [
    "Answer",
    "Died",
    "Failed",
    "Keeper",
    "Lost",
    "NotStarted",
    "Order",
    "OutOfMemory",
    "OutOfTime",
    "Settings",
    "begin",
    "missing",
    "settings",
]
