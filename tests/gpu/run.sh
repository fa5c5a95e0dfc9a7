#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The checks that need a GPU: run.sh STAGE, each stage under 9 minutes and on its own; what was finished is not done again. In the order
# of what they are worth, which is the order of `all`:
#   ops        every kernel, and every fused decode step, against the CPU's ops
#   demo       the demo model: the same greedy ids as the CPU, and repeatable
#   ceilings   copy bandwidth and bf16 GEMM rate of this GPU, to which the bench is compared
#   bench      decode, prefill, second turn and ten tiles at the published shapes: SIZES (default "tiny small base") in FORMATS (default
#              "bf16 mix int8"), weights of noise made in memory (base in bf16: 55 GB of it), no file
#   memcheck   compute-sanitizer on a short answer: memory
#   racecheck  compute-sanitizer on a short answer: races in shared memory
#   answer     a picture of ten tiles and a question from file to text, ANSWERS (default "tiny-mix tiny-bf16 small-mix"); checkpoints are
#              generated in WEIGHTS (default $GPU_BUILD/weights; small takes 32 GB in bf16 and 11 in mix)
#   official   the official PyTorch code on MODEL, beside ours (OFFICIAL = its folder, PYTHON = a Python that runs it)
#   llama      llama-bench (LLAMA_BENCH) on GGUF files of the same shape (GGUF = paths)
# Before them:
#   build      the module for this GPU, the driver, the op comparison. Needs nvcc, a C compiler, meson and ninja (both come with pip), and
#              static PCRE2, jansson and xxHash; no GTK, no GLib
#   kit        build, then only what the stages run, in build-gpu-kit: for a machine that has a GPU and none of these. There
#              GPU_BUILD=build-gpu-kit tests/gpu/run.sh STAGE needs bash and, for answer, python3 with numpy
#   all        the stages up to `answer`, then `official` and `llama` where their variables are set, in DEADLINE seconds (default 540); a
#              second call goes on where the first one ended. A stage that fails does not hold up the others
# Results and logs go to $GPU_BUILD/results, after every stage of `all` also to $OUT/results.tar.gz where OUT is set.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.."
build=$(realpath -m "${GPU_BUILD:-build-gpu}")
results=$build/results
export SIGHTLINE_CUDA_DIR=$build/kernels/cuda
drive=$build/tests/gpu/drive
LIMIT=${LIMIT:-520}

die() { printf 'run.sh: %s\n' "$*" >&2; exit 1; }
built() { [[ -x $drive && -f $SIGHTLINE_CUDA_DIR/libsightline-cuda.so ]] || die "run the stage build first"; mkdir -p "$results"; }
limited() { timeout "$LIMIT" "$@"; }

# What a figure is worth nothing without. A kit has no history and brings its commit along.
machine() {
    printf '# %s, commit %s\n' "$(date -u +%FT%TZ)" "$(cat "$build/commit" 2>/dev/null || git rev-parse --short HEAD 2>/dev/null || echo unknown)"
    nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit --format=csv,noheader 2>/dev/null | sed 's/^/# /' || true
}

# cuBLAS lies with the toolkit or among Python's packages; the module opens it at run time.
find_cublas() {
    local found
    found=$(python3 -c 'import pathlib, sys
print(*sorted({str(p.parent) for s in sys.path for p in pathlib.Path(s).glob("nvidia/*/lib/libcublas.so.1[23]")}), sep=":")' 2>/dev/null) || true
    export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}/usr/local/cuda/lib64${found:+:$found}
}

# The architecture of this GPU, as -gencode wants it; Hopper's where there is none.
arch() {
    local capability
    capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | tr -d .) || true
    case ${capability:-90} in
    90) echo 90a ;;
    *) echo "${capability:-90}" ;;
    esac
}

stage_build() {
    local code=${GPU_ARCH:-$(arch)}
    command -v nvcc >/dev/null || die "nvcc is not on the PATH"
    [[ -f $build/build.ninja ]] || meson setup "$build" -Dgpu_check=true -Dcuda=enabled "-Dgpu_arch=$code" -Dbuildtype=release --prefer-static
    limited ninja -C "$build"
    mkdir -p "$results"
    limited nvcc -O3 -gencode "arch=compute_$code,code=sm_$code" -o "$build/ceilings" tests/gpu/ceilings.cu -lcublas ||
        die "ceilings.cu does not compile"
}

stage_kit() {
    local kit=build-gpu-kit file
    stage_build
    ldd "$drive" | grep -E 'pcre|jansson|xxhash' && die "the driver needs shared libraries: install the static ones and remove $build"
    mkdir -p "$kit/kernels/cuda" "$kit/tests/gpu"
    for file in kernels/cuda/libsightline-cuda.so tests/gpu/drive tests/gpu/cuda-{attention,backend,fused,ops} ceilings; do
        cp "$build/$file" "$kit/$file"
        strip --strip-debug "$kit/$file"
    done
    git rev-parse --short HEAD >"$kit/commit"
    du -sh "$kit"
}

stage_ops() {
    built
    local program
    for program in cuda-fused cuda-ops cuda-attention cuda-backend; do
        limited "$build/tests/gpu/$program" | tee "$results/$program.tap" | grep -v '^ok' || true
        tail -n 1 "$results/$program.tap" | grep -q '^1\.\.' || die "$program did not finish"
        ! grep -q '^not ok' "$results/$program.tap" || die "$program: an op differs from the CPU's"
    done
}

stage_demo() {
    built
    local size cpu cuda
    # Of 288 sizes those whose numbers are chosen most clearly: no id leads the next one by less than 0.038, and bf16 moves them by 0.01.
    for size in 440x180 188x140 164x320; do
        cpu=$(limited "$drive" data/demo-model --device cpu --size "$size" --tokens 64 --runs 1 --ids)
        cuda=$(limited "$drive" data/demo-model --device "${DEVICE:-cuda}" --size "$size" --tokens 64 --runs 1 --ids)
        printf '%s\n' "$size" "$cuda"
        [[ $cpu == "$cuda" ]] || die "the CPU answers $size with: $cpu"
        [[ $cuda == "$(limited "$drive" data/demo-model --device "${DEVICE:-cuda}" --size "$size" --tokens 64 --runs 4 --ids)" ]] ||
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

# A run that was cut short leaves its rows; its shape is measured again.
stage_bench() {
    built
    local size format csv=$results/bench.csv failed=0
    [[ -f $csv ]] || { machine; echo 'shape,pass,tokens,context,best ms,median ms,tokens/s,GB/s,TFLOP/s'; } >"$csv"
    for size in ${SIZES:-tiny small base}; do
        for format in ${FORMATS:-bf16 mix int8}; do
            grep -q "^# $size $format: .* experts used" "$csv" && continue
            limited "$drive" --shape "$size" --format "$format" --layers "${LAYERS:-0}" --device "${DEVICE:-cuda}" --row "$size $format" \
                >>"$csv" || { echo "# $size $format: ended with status $?" >>"$csv"; failed=1; }
        done
    done
    cat "$csv"
    return "$failed"
}

# The checkpoint of a size in a format, made of noise where it is not there yet; nothing is downloaded.
weights() {
    local size=$1 format=$2 folder=${WEIGHTS:-$build/weights}
    local from=$folder/$size-bf16 to=$folder/$size-$format
    [[ -f $from/model.safetensors ]] || limited python3 tests/gpu/generate.py "$size" "$from" --layers "${LAYERS:-0}" >&2 || return 1
    if [[ ! -f $to/model.safetensors ]]; then
        mkdir -p "$to"
        cp "$from"/*.json "$to"
        limited "$drive" "$from" --quantise "$format" --to "$to/model.safetensors" >&2 || { rm -rf "$to"; return 1; }
    fi
    echo "$to"
}

stage_answer() {
    built
    local name folder csv=$results/answer.csv failed=0
    [[ -f $csv ]] || {
        machine
        printf '%s' 'model,device,gpu,weights,bytes,prompt tokens,load ms,vision ms,prefill ms,first token ms,tokens,'
        echo 'decode tokens/s,second tokens,second ms'
    } >"$csv"
    for name in ${ANSWERS:-tiny-mix tiny-bf16 small-mix}; do
        grep -q "^$name," "$csv" && continue
        { folder=$(weights "${name%-*}" "${name#*-}") &&
            limited "$drive" "$folder" --device "${DEVICE:-cuda}" --size "${SIZE:-1152x1152}" --tokens "${TOKENS:-128}" --runs 3 --row "$name" \
                >>"$csv"; } || { echo "# $name: not measured" >>"$csv"; failed=1; }
    done
    cat "$csv"
    return "$failed"
}

stage_official() {
    built
    [[ -n ${MODEL:-} && -n ${OFFICIAL:-} ]] || die "set MODEL (a checkpoint folder) and OFFICIAL (the official code)"
    local size=${SIZE:-1152x1152} tokens=${TOKENS:-64}
    { machine
      limited "${PYTHON:-python3}" tests/gpu/official.py "$OFFICIAL" "$MODEL" --device "${DEVICE:-cuda}" --size "$size" --tokens "$tokens"
      limited "$drive" "$MODEL" --device "${DEVICE:-cuda}" --size "$size" --tokens "$tokens" --ids --row ours; } | tee "$results/official.csv"
}

stage_llama() {
    [[ -x ${LLAMA_BENCH:-} && -n ${GGUF:-} ]] || die "set LLAMA_BENCH (the program) and GGUF (files of the same shapes)"
    local file
    mkdir -p "$results"
    { machine
      for file in $GGUF; do limited "$LLAMA_BENCH" -m "$file" -p 2017 -n 128 -d 1024 -ngl 99 -fa 1 -o csv; done
    } | tee "$results/llama.csv"
}

stage_all() {
    built
    local stage left stages=(ops demo ceilings bench memcheck racecheck answer)
    [[ -z ${MODEL:-} || -z ${OFFICIAL:-} ]] || stages+=(official)
    [[ -z ${LLAMA_BENCH:-} || -z ${GGUF:-} ]] || stages+=(llama)
    for stage in "${stages[@]}"; do
        [[ ! -f $results/$stage.done ]] || continue
        left=$((${DEADLINE:-540} - SECONDS))
        ((left > 20)) || { echo "== no time left for $stage"; break; }
        printf '== %s (%s s left)\n' "$stage" "$left"
        if LIMIT=$left timeout "$left" bash tests/gpu/run.sh "$stage"; then touch "$results/$stage.done"; else echo "== $stage failed"; fi
        [[ -z ${OUT:-} ]] || tar -C "$results" -czf "$OUT/results.tar.gz" .
    done
    for stage in "${stages[@]}"; do [[ -f $results/$stage.done ]] || return 1; done
}

[[ $# == 1 && $(type -t "stage_$1") == function ]] || die "$(sed -n '4,30s/^# \{0,1\}//p' tests/gpu/run.sh)"
find_cublas
"stage_$1"
