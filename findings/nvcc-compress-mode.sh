#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# nvcc 13.0.88 (also 13.5.37): machine code for several architectures is compressed by --compress-mode=size only.
# Expected: the default, which is called "balance" since CUDA 13, compresses; "speed" and "size" differ by a little.
# Seen: a fat binary of many alike kernels is as large by default as by "none"; only "size" makes it a fraction.
# And: the package nvidia-cuda-nvcc names its parts (nvvm, crt, runtime) without versions, so that a pinned one may bring those of
# another release or, alone, cannot compile.
# A module for many architectures is to be built with --compress-mode=size, and all four packages are to be pinned.
set -euo pipefail
parts=(nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-runtime==13.0.96)
package=nvidia-cuda-nvcc==13.0.88
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cd "$root"
get() { python3 -m pip install -q --no-deps --root-user-action ignore --target wheels "$@" || { echo "not on PyPI any more: $*"; exit 77; }; }

get "$package"
bin=wheels/nvidia/cu13/bin
chmod +x $bin/* 2>/dev/null || true
$bin/nvcc --version | grep -o "V13.*"
grep "^Requires-Dist" wheels/nvidia_cuda_nvcc-*.dist-info/METADATA
! grep -q "^Requires-Dist.*[0-9]\." wheels/nvidia_cuda_nvcc-*.dist-info/METADATA

{
    echo "template <int n> __global__ void scale(float *x)"
    echo "{ float v = x[threadIdx.x]; for (int i = 0; i < 64; i++) v = v * v + n + i; x[threadIdx.x] = v; }"
    for i in $(seq 40); do echo "template __global__ void scale<$i>(float *);"; done
} >kernels.cu
compile() { $bin/nvcc "$@" -fatbin -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=sm_90 kernels.cu -o out.fatbin; }
if compile 2>alone.log; then echo "the package alone compiles"; exit 1; fi
echo "alone: $(head -1 alone.log)"

python3 -m pip install -q --no-deps --root-user-action ignore --target more "${parts[@]}" || { echo "not on PyPI any more: ${parts[*]}"; exit 77; }
cp -r more/nvidia wheels/
chmod -R +x wheels/nvidia/cu13/bin wheels/nvidia/cu13/nvvm/bin
declare -A size
for mode in default none speed balance size; do
    [[ $mode == default ]] && compile || compile --compress-mode=$mode
    size[$mode]=$(stat -c %s out.fatbin)
    echo "$mode: ${size[$mode]} bytes"
done
((size[default] * 10 > size[none] * 9 && size[speed] * 10 > size[none] * 9 && size[balance] * 10 > size[none] * 9))
((size[size] * 2 < size[default]))
