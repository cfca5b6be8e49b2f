from __future__ import annotations

import pytest

from fcn_edge.ops.kernels import KERNELS, kernel_source
from fcn_edge.testing.kernel_signature import Parameter, parameters_of


@pytest.mark.parametrize(
    ("parameters", "types"),
    [
        ("", ()),
        ("float *x", ("uint64",)),
        ("const unsigned char* __restrict__ frame, int pitch", ("uint64", "int32")),
        ("const int rows, const float scale", ("int32", "float32")),
        ("unsigned int n, unsigned m", ("uint32", "uint32")),
        ("long long offset, size_t nbytes, double d", ("int64", "uint64", "float64")),
    ],
)
def test_types_of_parameters(parameters: str, types: tuple[str, ...]) -> None:
    (found,) = parameters_of(f'extern "C" __global__ void work({parameters}) {{ }}').values()
    assert tuple(each.kind for each in found) == types


def test_what_is_read_and_what_is_written_is_told() -> None:
    source = 'extern "C" __global__ void work(const float *in, float const* also, float *out, const int n) { }'
    assert parameters_of(source)["work"] == (
        Parameter("uint64", pointer=True, read_only=True),
        Parameter("uint64", pointer=True, read_only=True),
        Parameter("uint64", pointer=True),
        Parameter("int32"),
    )


def test_launch_bounds_comments_and_other_functions_are_passed_over() -> None:
    source = """
    __device__ int helper(int a) { return a; }
    // extern "C" __global__ void old(int a)
    extern "C" __global__ void __launch_bounds__(256)
    first(int a /* pixels */, float* b) { }
    extern "C" __global__ __launch_bounds__(128, 2) void second(float c) { }
    """
    kinds = {entry: [each.kind for each in found] for entry, found in parameters_of(source).items()}
    assert kinds == {"first": ["int32", "uint64"], "second": ["float32"]}


def test_unknown_type_is_not_guessed() -> None:
    with pytest.raises(KeyError):
        parameters_of('extern "C" __global__ void work(half x) { }')


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernels_of_the_package_are_read(kernel: str) -> None:
    assert all(parameters_of(kernel_source(kernel)).values())
