from __future__ import annotations

import pytest

from fcn_edge.backends.tensorrt.compile.convolutions import Convolution, in_plan, int8_share, unknown_convolutions
from fcn_edge.backends.tensorrt.compile.layers import PlanLayer, PlanTensor

STEM = Convolution("stem", 600, depthwise=False, quantized=True)
WIDE = Convolution("wide", 50, depthwise=True, quantized=True)
BODY = Convolution("body", 300, depthwise=False, quantized=True)
HEAD = Convolution("head", 100, depthwise=False, quantized=False)


def kernel(nodes: tuple[str, ...], *elements: str, kind: str = "CaskConvolution") -> PlanLayer:
    """A layer whose input and weights have these types."""
    image, *weights = (PlanTensor("x", element, (1,), "") for element in elements)
    return PlanLayer(" + ".join(nodes), kind, nodes, (image,), tuple(weights), (), "")


def test_int8_needs_an_int8_image_and_int8_weights() -> None:
    layers = [
        kernel(("stem", "clip_0"), "int8", "int8"),
        kernel(("body",), "fp16", "int8"),
        kernel(("head",), "fp16", "fp16"),
    ]
    found = in_plan([STEM, BODY, HEAD], layers)
    assert [one.int8 for one in found] == [True, False, False]
    assert int8_share(found) == pytest.approx(0.6)


def test_only_what_convolves_counts() -> None:
    layers = [
        kernel(("stem", "stem.q"), "fp32", kind="kgen"),
        kernel(("stem", "stem.dq"), "int8", "int8", kind="correlation"),
        kernel(("stem",), "fp16", "fp16", kind="CaskDeconvolutionV2"),
    ]
    assert [one.int8 for one in in_plan([STEM], layers)] == [True]


def test_the_largest_constant_is_the_weights() -> None:
    parts = (("int8", 9), ("fp32", 2), ("int8", 8))
    image, bias, weights = (PlanTensor("x", element, (size,), "") for element, size in parts)
    fused = PlanLayer("x", "runtime_fusion", ("stem",), (image,), (bias, weights), (), "")
    assert [one.int8 for one in in_plan([STEM], [fused])] == [True]


def test_a_convolution_of_two_kernels_is_int8_when_both_are() -> None:
    layers = [kernel(("stem",), "int8", "int8"), kernel(("stem",), "fp16", "fp16")]
    assert [one.int8 for one in in_plan([STEM], layers)] == [False]


def test_depthwise_convolutions_are_left_out_of_the_share() -> None:
    layers = [kernel((name,), "int8", "int8") for name in ("stem", "body")] + [
        kernel((name,), "fp16", "fp16") for name in ("wide", "head")
    ]
    assert int8_share(in_plan([STEM, WIDE, BODY, HEAD], layers)) == pytest.approx(0.9)


def test_a_convolution_that_the_plan_does_not_name_is_not_called_int8() -> None:
    found = in_plan([STEM, WIDE, BODY, HEAD], [kernel(("stem",), "int8", "int8"), kernel(("head",), "fp16", "fp16")])
    assert [one.int8 for one in found] == [True, None, None, False]
    assert int8_share(found) == pytest.approx(0.6)
    assert unknown_convolutions(found) == 1  # depthwise ones are not in the share


def test_one_without_a_name_hides_no_float_plan() -> None:
    graph = [Convolution(f"c{number}", 10, depthwise=False, quantized=True) for number in range(53)]
    found = in_plan(graph, [kernel((one.name,), "fp16", "fp16") for one in graph[1:]])
    assert (int8_share(found), unknown_convolutions(found)) == (0, 1)


def test_a_plan_without_names_has_no_share() -> None:
    found = in_plan([STEM, BODY], [kernel(("a kernel",), "int8", "int8")])
    assert (int8_share(found), unknown_convolutions(found)) == (0, 2)


@pytest.mark.parametrize("convolutions", [[], [WIDE]])
def test_the_share_of_nothing_is_none(convolutions: list[Convolution]) -> None:
    assert int8_share(convolutions) == 0
