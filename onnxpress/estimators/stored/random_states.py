from __future__ import annotations

from onnxpress.estimators.stored.rules import Rule

RULES: dict[str, Rule] = {}
