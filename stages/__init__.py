"""onnxpress: one room per stage, in the order the data flows (see dvc.yaml)."""

import atexit
import sys

from stages.common.signals import leave_at_once

if sys.argv[:1] == ["-m"]:  # what runpy sets while it looks for the module of `python -m stages.<name>`
    leave_at_once()
    module = next((word for word in sys.orig_argv if word.startswith("stages.")), "")
    if module.count(".") == 1:  # others are helpers, some of whose memory is measured
        from stages.common.memory import refuse_little

        refuse_little(module.removeprefix("stages."))
        from onnxpress.pipeline import copies, unchanged
        from stages.common.errors import end_unchanged

        atexit.register(end_unchanged)  # before any library, so that it is called after all
        unchanged.begin(module.removeprefix("stages."))
        copies.explain_imports(module.removeprefix("stages."))
