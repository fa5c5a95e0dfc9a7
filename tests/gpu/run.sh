#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The checks that need a GPU: run.sh STAGE, each stage under 9 minutes and on its own. Needs nvcc, a C compiler, meson and ninja (both
# come with pip), and static PCRE2, jansson and xxHash; no GTK, no GLib. Results and logs go to build-gpu/results.
#   build      the module for this GPU, the driver, the op comparison
#   ops        every kernel against the CPU's op
#   demo       the demo model: the same greedy ids as the CPU, and repeatable
#   memcheck   compute-sanitizer on a short answer: memory
#   racecheck  compute-sanitizer on a short answer: races in shared memory
#   ceilings   copy bandwidth and bf16 GEMM rate of this GPU, to which the bench is compared
#   bench      SIZES (default "tiny small base") of generated weights in FORMATS (default "bf16 int8 mix"): one CSV line each;
#              they are made in WEIGHTS (default build-gpu/weights; base takes 55 GB in bf16 and 75 with mix beside it)
#   official   the official PyTorch code on MODEL, beside ours (OFFICIAL = its folder, PYTHON = a Python that runs it)
#   llama      llama-bench (LLAMA_BENCH) on GGUF files of the same shape (GGUF = paths)
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."
build=${GPU_BUILD:-build-gpu}
results=$build/results
export SIGHTLINE_CUDA_DIR=$PWD/$build/kernels/cuda
drive=$build/tests/gpu/drive
LIMIT=${LIMIT:-520}

die() { printf 'run.sh: %s\n' "$*" >&2; exit 1; }
built() { [[ -x $drive && -f $SIGHTLINE_CUDA_DIR/libsightline-cuda.so ]] || die "run the stage build first"; mkdir -p "$results"; }
limited() { timeout "$LIMIT" "$@"; }

# What a figure is worth nothing without.
machine() {
    printf '# %s, commit %s\n' "$(date -u +%FT%TZ)" "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit --format=csv,noheader 2>/dev/null | sed 's/^/# /' || true
    nvcc --version 2>/dev/null | sed -n 's/^Cuda compilation/# Cuda compilation/p' || true
}

# The architecture of this GPU, as -gencode wants it.
arch() {
    local capability
    capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | tr -d .) || true
    case ${capability:-90} in
    90) echo 90a ;;
    *) echo "${capability:-90}" ;;
    esac
}

stage_build() {
    command -v nvcc >/dev/null || die "nvcc is not on the PATH"
    [[ -f $build/build.ninja ]] || meson setup "$build" -Dgpu_check=true -Dcuda=enabled "-Dgpu_arch=${GPU_ARCH:-$(arch)}" \
        -Dbuildtype=release --prefer-static
    limited ninja -C "$build"
    mkdir -p "$results"
    limited nvcc -O3 -arch=native -o "$build/ceilings" tests/gpu/ceilings.cu -lcublas || die "ceilings.cu does not compile"
}

stage_ops() {
    built
    { limited "$build/tests/gpu/cuda-fused"; limited "$build/tests/gpu/cuda-ops"; } | tee "$results/ops.tap" | grep -v '^ok' || true
    grep -q '^not ok' "$results/ops.tap" && die "an op differs from the CPU's"
    tail -n 1 "$results/ops.tap" | grep -q '^1\.\.' || die "the comparison did not finish"
}

stage_demo() {
    built
    local size cpu cuda
    for size in 184x140 400x90 92x92; do
        cpu=$(limited "$drive" data/demo-model --device cpu --size "$size" --tokens 64 --runs 1 --ids)
        cuda=$(limited "$drive" data/demo-model --device cuda --size "$size" --tokens 64 --runs 1 --ids)
        printf '%s\n' "$size" "$cuda"
        [[ $cpu == "$cuda" ]] || die "the CPU answers $size with: $cpu"
        [[ $cuda == "$(limited "$drive" data/demo-model --device cuda --size "$size" --tokens 64 --runs 4 --ids)" ]] ||
            die "a repeated answer differs"
    done | tee "$results/demo.txt"
}

sanitize() {
    built
    command -v compute-sanitizer >/dev/null || die "compute-sanitizer is not on the PATH"
    limited compute-sanitizer --tool "$1" --error-exitcode 9 "$drive" data/demo-model --device cuda --size 184x140 --tokens 6 --runs 1 \
        2>&1 | tee "$results/$1.log" | tail -n 3
}
stage_memcheck() { sanitize memcheck; }
stage_racecheck() { sanitize racecheck; }

stage_ceilings() {
    built
    { machine; limited "$build/ceilings"; } | tee "$results/ceilings.csv"
}

# The checkpoint of a size in a format, made of noise where it is not there yet; nothing is downloaded.
weights() {
    local size=$1 format=$2 folder=${WEIGHTS:-$build/weights}
    local from=$folder/$size-bf16 to=$folder/$size-$format
    [[ -f $from/model.safetensors ]] || limited python3 tests/gpu/generate.py "$size" "$from" >&2
    if [[ ! -f $to/model.safetensors ]]; then
        mkdir -p "$to"
        cp "$from"/*.json "$to"
        limited "$drive" "$from" --quantise "$format" --to "$to/model.safetensors" >&2 || { rm -rf "$to"; return 1; }
    fi
    echo "$to"
}

stage_bench() {
    built
    local size format folder csv=$results/bench.csv
    [[ -f $csv ]] || {
        machine
        printf '%s' 'model,device,gpu,weights,bytes,prompt tokens,load ms,vision ms,prefill ms,first token ms,tokens,'
        echo 'decode tokens/s,second tokens,second ms'
    } >"$csv"
    for size in ${SIZES:-tiny small base}; do
        for format in ${FORMATS:-bf16 int8 mix}; do
            grep -q "^$size $format," "$csv" && continue # an earlier call got that far
            folder=$(weights "$size" "$format") || { echo "# $size $format: its weights could not be made" >>"$csv"; continue; }
            limited "$drive" "$folder" --device cuda --size 1152x1152 --tokens 128 --runs 3 --row "$size $format" >>"$csv" ||
                echo "# $size $format: not run (status $?)" >>"$csv"
        done
    done
    cat "$csv"
}

stage_official() {
    built
    [[ -n ${MODEL:-} && -n ${OFFICIAL:-} ]] || die "set MODEL (a checkpoint folder) and OFFICIAL (the official code)"
    { machine
      limited "${PYTHON:-python3}" tests/gpu/official.py "$OFFICIAL" "$MODEL" --size 1152x1152 --tokens 64
      limited "$drive" "$MODEL" --device cuda --size 1152x1152 --tokens 64 --row ours; } | tee "$results/official.csv"
}

stage_llama() {
    [[ -x ${LLAMA_BENCH:-} && -n ${GGUF:-} ]] || die "set LLAMA_BENCH (the program) and GGUF (files of the same shapes)"
    local file
    mkdir -p "$results"
    { machine
      for file in $GGUF; do limited "$LLAMA_BENCH" -m "$file" -p 2017 -n 128 -d 1024 -ngl 99 -fa 1 -o csv; done
    } | tee "$results/llama.csv"
}

[[ $# == 1 && $(type -t "stage_$1") == function ]] || die "$(sed -n '5,15s/^# \{0,1\}//p' tests/gpu/run.sh)"
"stage_$1"
