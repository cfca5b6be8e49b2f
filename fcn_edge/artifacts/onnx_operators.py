"""How many tensors each of ONNX's operators takes and gives.

Libraries take that on trust: OpenVINO 2026.4 ends the process at a convolution that has no weights among its inputs.
Source: the schemas of onnx 1.23.2, all versions of an operator together.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["MANY", "OPERATORS", "has_its_tensors"]

MANY = 2**31 - 1
"""Any number."""

_NAMES = {
    (0, 0, 1, 1): """
        Constant RandomNormal RandomUniform SequenceEmpty
    """,
    (0, 1, 1, 1): """
        Optional OptionalHasElement
    """,
    (1, 1, 1, 1): """
        Abs Acos Acosh ArgMax ArgMin Asin Asinh Atan Atanh AveragePool Bernoulli BitCast BitwiseNot BlackmanWindow
        Cast Ceil Celu ConcatFromSequence ConstantOfShape Cos Cosh DepthToSpace Det Elu Erf Exp EyeLike Flatten
        Floor Gelu GlobalAveragePool GlobalLpPool GlobalMaxPool HammingWindow HannWindow HardSigmoid HardSwish
        Hardmax Identity ImageDecoder IsInf IsNaN LRN LeakyRelu Log LogSoftmax LpNormalization LpPool
        MeanVarianceNormalization Mish Multinomial Neg NonZero Not OptionalGetElement RandomNormalLike
        RandomUniformLike Reciprocal RegexFullMatch Relu Round Selu SequenceLength Shape Shrink Sigmoid Sign Sin
        Sinh Size Softmax Softplus Softsign SpaceToDepth Sqrt StringNormalizer Swish Tan Tanh TfIdfVectorizer
        ThresholdedRelu Transpose
    """,
    (1, 1, 1, 2): """
        MaxPool
    """,
    (1, 1, 1, 4): """
        Unique
    """,
    (1, 1, 1, MANY): """
        If
    """,
    (1, 1, 2, 2): """
        StringSplit
    """,
    (1, 1, 3, 3): """
        DynamicQuantizeLinear
    """,
    (1, 2, 1, 1): """
        ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
        ReduceSumSquare Reshape SequenceErase SplitToSequence Squeeze Trilu Unsqueeze Upsample
    """,
    (1, 2, 1, MANY): """
        Split
    """,
    (1, 2, 2, 2): """
        TopK
    """,
    (1, 3, 1, 1): """
        Clip DFT
    """,
    (1, 3, 1, 2): """
        Dropout
    """,
    (1, 4, 1, 1): """
        Pad Resize
    """,
    (1, 5, 1, 1): """
        Slice
    """,
    (1, MANY, 1, 1): """
        Concat Einsum Max Mean Min SequenceConstruct Sum
    """,
    (1, MANY, 1, MANY): """
        Scan SequenceMap
    """,
    (2, 2, 1, 1): """
        Add AffineGrid And BitShift BitwiseAnd BitwiseOr BitwiseXor CastLike CenterCropPad Compress CumProd CumSum
        Div Equal Expand Gather GatherElements GatherND Greater GreaterOrEqual GridSample Less LessOrEqual MatMul
        MaxRoiPool Mod Mul Or PRelu Pow RMSNormalization ReverseSequence SequenceAt StringConcat Sub SwiGLU Xor
    """,
    (2, 3, 1, 1): """
        Conv ConvTranspose DequantizeLinear Gemm MaxUnpool NegativeLogLikelihoodLoss QuantizeLinear SequenceInsert
        TensorScatter Tile
    """,
    (2, 3, 1, 2): """
        SoftmaxCrossEntropyLoss
    """,
    (2, 3, 1, 3): """
        LayerNormalization
    """,
    (2, 4, 1, 1): """
        ConvInteger MatMulInteger STFT
    """,
    (2, 4, 2, 2): """
        CausalConvWithState
    """,
    (2, 5, 1, 1): """
        NonMaxSuppression
    """,
    (2, MANY, 1, MANY): """
        Loop
    """,
    (3, 3, 1, 1): """
        Col2Im GroupNormalization InstanceNormalization OneHot Range RoiAlign Scatter ScatterElements ScatterND
        Where
    """,
    (3, 4, 1, 1): """
        RotaryEmbedding
    """,
    (3, 5, 1, 1): """
        DeformConv
    """,
    (3, 6, 0, 2): """
        GRU RNN
    """,
    (3, 6, 2, 2): """
        LinearAttention
    """,
    (3, 7, 1, 4): """
        Attention
    """,
    (3, 8, 0, 3): """
        LSTM
    """,
    (5, 5, 1, 1): """
        MelWeightMatrix
    """,
    (5, 5, 1, 5): """
        BatchNormalization
    """,
    (8, 8, 1, 1): """
        QLinearMatMul
    """,
    (8, 9, 1, 1): """
        QLinearConv
    """,
}
"""Names of the operators that take a to b tensors and give c to d, by (a, b, c, d)."""

OPERATORS = {name: counts for counts, names in _NAMES.items() for name in names.split()}
"""Fewest and most tensors that an operator takes, then fewest and most that it gives."""


def has_its_tensors(operator: str, inputs: Sequence[str], outputs: Sequence[str]) -> bool:
    """Whether a node takes and gives as many tensors as its operator does; one that is not known may have any.

    Args:
        operator: What it computes.
        inputs: Names of what it takes; empty for one that is left out.
        outputs: Names of what it gives.
    """
    fewest_in, most_in, fewest_out, most_out = OPERATORS.get(operator, (0, MANY, 0, MANY))
    return fewest_in <= len(inputs) <= most_in and fewest_out <= len(outputs) <= most_out and all(inputs[:fewest_in])
