"""Which operators a model may have.

Those of onnxruntime on a CPU that compute, and give the same answer each time.
"""

from __future__ import annotations

STANDARD = ("", "ai.onnx")
MICROSOFT = "com.microsoft"
DOMAINS = {*STANDARD, "ai.onnx.ml", MICROSOFT}
MICROSOFT_OPERATORS = frozenset(
    [
        "Attention",
        "BiasGelu",
        "CDist",
        "ConvTransposeWithDynamicPads",
        "CropAndResize",
        "DequantizeLinear",
        "DynamicQuantizeLSTM",
        "DynamicQuantizeMatMul",
        "EmbedLayerNormalization",
        "ExpandDims",
        "FastGelu",
        "FusedConv",
        "FusedGemm",
        "FusedMatMul",
        "GatherBlockQuantized",
        "GatherND",
        "Gelu",
        "GridSample",
        "GroupQueryAttention",
        "Inverse",
        "MatMulBnb4",
        "MatMulInteger16",
        "MatMulIntegerToFloat",
        "MatMulNBits",
        "MaxpoolWithMask",
        "MultiHeadAttention",
        "NhwcMaxPool",
        "Pad",
        "QAttention",
        "QEmbedLayerNormalization",
        "QGemm",
        "QLinearAdd",
        "QLinearAveragePool",
        "QLinearConcat",
        "QLinearConv",
        "QLinearGlobalAveragePool",
        "QLinearLeakyRelu",
        "QLinearMul",
        "QLinearReduceMean",
        "QLinearSigmoid",
        "QLinearSoftmax",
        "QLinearWhere",
        "QuantizeLinear",
        "QuickGelu",
        "Range",
        "RotaryEmbedding",
        "SkipLayerNormalization",
        "SkipSimplifiedLayerNormalization",
        "SparseToDenseMatMul",
        "Tokenizer",
        "TransposeMatMul",
        "Trilu",
        "Unique",
    ]
)
"""What quantisers and optimisers of onnxruntime write.

The rest generates text, draws random numbers or reads files.
"""
RANDOM = {
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Multinomial",
    "Bernoulli",
}
"""Their answers differ from call to call."""
