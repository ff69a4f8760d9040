"""What torch imports while it loads and exports; a held process imports this before it is locked.

Some of these modules start programs, or look for a folder that they may write to. A name that a
release of torch does not have is passed over.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from importlib import import_module

MODULES = (
    "torch.export._trace",
    "torch.export._unlift",
    "torch.export.pt2_archive",
    "torch._inductor.cpp_builder",
    "torch._inductor.compiler_bisector",
    "torch.onnx._internal.exporter._compat",
    "onnxscript.function_libs.torch_lib.ops",
    "multiprocessing.synchronize",
)

# Torch asks for folders of temporary files and caches, and writes nothing. None is writable here.
tempfile.tempdir = "/"
os.environ["TORCHINDUCTOR_CACHE_DIR"] = "/"

for _name in MODULES:
    with suppress(ImportError):
        import_module(_name)
