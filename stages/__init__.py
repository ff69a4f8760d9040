"""onnxpress: one room per stage, in the order the data flows (see dvc.yaml)."""

import sys

from stages.common.signals import leave_at_once

if sys.argv[:1] == ["-m"]:  # what runpy sets while it looks for the module of `python -m stages.<name>`
    leave_at_once()
    from onnxpress.pipeline import copies, unchanged

    unchanged.begin(sys.orig_argv)
    copies.explain_imports(sys.orig_argv)
