"""The operators that a program may call: those that compute tensors from tensors.

Others read files (``from_file``), give what memory holds (``empty``), draw random numbers, or are
not checked enough to be given hostile arguments.
"""

from __future__ import annotations

import re
from typing import Any

from onnxpress.torch_program.fields import BadProgram

ATEN = re.compile(r"torch\.ops\.aten\.([a-z0-9_]{1,60})\.([A-Za-z0-9_]{1,60})")

SIZES = {
    *(f"_operator.{name}" for name in ("add", "sub", "mul", "floordiv", "mod", "neg", "truediv")),
    *(f"_operator.{name}" for name in ("eq", "ne", "lt", "le", "gt", "ge", "and_", "or_")),
    *(f"torch.sym_{name}" for name in ("float", "int", "max", "min", "not", "sum")),
}
"""Computing with sizes."""

GROUPS = {
    "numbers one by one": (
        "abs acos acosh add addcdiv addcmul asin asinh atan atan2 atanh ceil clamp clamp_max "
        "clamp_min cos cosh div erf erfc exp exp2 expm1 floor floor_divide fmax fmin fmod frac "
        "lerp log log10 log1p log2 logaddexp logit maximum minimum mul neg pow reciprocal "
        "remainder round rsqrt rsub sigmoid sign sin sinh sqrt square sub tan tanh trunc where "
        "masked_fill nan_to_num bitwise_and bitwise_not bitwise_or bitwise_xor eq ge gt isfinite "
        "isinf isnan le logical_and logical_not logical_or logical_xor lt ne"
    ),
    "activations": (
        "celu elu gelu glu hardshrink hardsigmoid hardswish hardtanh leaky_relu log_sigmoid "
        "log_softmax mish prelu relu relu6 selu silu softmax softplus softshrink threshold "
        "_log_softmax _softmax"
    ),
    "layers": (
        "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d "
        "adaptive_max_pool2d avg_pool1d avg_pool2d avg_pool3d batch_norm conv1d conv2d conv3d "
        "conv_transpose1d conv_transpose2d conv_transpose3d convolution dropout embedding "
        "feature_dropout group_norm gru instance_norm layer_norm linear lstm max_pool1d "
        "max_pool2d max_pool2d_with_indices max_pool3d native_batch_norm native_dropout "
        "native_group_norm native_layer_norm rms_norm rnn_relu rnn_tanh "
        "scaled_dot_product_attention upsample_bilinear2d upsample_nearest1d upsample_nearest2d "
        "_native_batch_norm_legit_no_training"
    ),
    "products": "addbmm addmm addmv baddbmm bmm dot einsum matmul mm mv outer",
    "sums and orders": (
        "all amax amin any argmax argmin argsort count_nonzero cumsum linalg_vector_norm "
        "logsumexp max mean min norm prod sort std sum topk var var_mean"
    ),
    "shapes": (
        "_unsafe_view alias broadcast_to cat chunk clone concat constant_pad_nd contiguous detach "
        "diagonal expand expand_as flatten flip gather index index_select lift_fresh_copy movedim "
        "narrow numpy_T one_hot pad permute pixel_shuffle pixel_unshuffle reflection_pad1d "
        "reflection_pad2d repeat repeat_interleave replication_pad1d replication_pad2d reshape "
        "roll select slice split split_with_sizes squeeze stack swapaxes t take_along_dim tile to "
        "transpose tril triu type_as unbind unflatten unsqueeze view view_as _to_copy"
    ),
    "new tensors": (
        "arange full full_like new_full new_ones new_zeros ones ones_like scalar_tensor zeros "
        "zeros_like"
    ),
    "sizes and checks": (
        "sym_numel sym_size sym_stride sym_constrain_range sym_constrain_range_for_size "
        "_assert_async _assert_scalar _assert_tensor_metadata"
    ),
}
"""Operators of ATen, without the ``_`` behind the name of one that writes into its input."""

NAMES = frozenset(" ".join(GROUPS.values()).split())


def operator(value: Any) -> str:
    """Take the name of a known operator, such as ``torch.ops.aten.linear.default``."""
    if value in SIZES if isinstance(value, str) else False:
        return str(value)
    found = ATEN.fullmatch(value) if isinstance(value, str) else None
    if found is None or not {found[1], found[1].removesuffix("_")} & NAMES:
        came = str(value)[:80]
        raise BadProgram(f"calls {came}, which is no operator that is known here")
    return str(value)
