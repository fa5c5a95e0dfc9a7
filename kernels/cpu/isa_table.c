/* SPDX-License-Identifier: MIT
 *
 * The table of one instruction set level. Compiled once per level, as the isa_*.c are that it collects.
 */
#include "kernels/cpu/isa.h"

#include "kernels/cpu/isa_parts.h"
#include "kernels/cpu/simd.h"

const struct vlk_isa ISA_TABLE = {
    .name = ISA_NAME,
    .nr = NR,
    .mr = MR,
    .unpack = ISA(unpack),
    .pack_bf16 = ISA(pack_bf16),
    .dot_rows = ISA(dot_rows),
    .mix_rows = ISA(mix_rows),
    .pack_rows = ISA(pack_rows),
    .pack_cols = ISA(pack_cols),
    .pack_left = ISA(pack_left),
    .gemm = ISA(gemm),
    .code_row = ISA_CODES(code_row),
    .round_row = ISA_CODES(round_row),
    .dot_codes = ISA_CODES(dot_codes),
#if defined(CODE_LEFT_FLOATS)
    .left_floats = CODE_LEFT_FLOATS,
    .right_floats = CODE_RIGHT_FLOATS,
    .pack_left_codes = ISA_CODES(pack_left_codes),
    .pack_codes = ISA_CODES(pack_codes),
    .gemm_codes = ISA_CODES(gemm_codes),
#endif
#if defined(__AVX512VNNI__)
    .narrow_int8 = &ISA_CODES(narrow_int8),
    .soften_row = ISA_CODES(soften_row),
#elif defined(__AVX2__) && !defined(__AVX512F__)
    .narrow_int8 = &ISA(narrow_int16),
#endif
#if defined(__AVX512BF16__)
    .narrow_bf16 = &ISA_BF16(narrow),
    .pack_values = ISA_BF16(pack_values),
    .pair_up = ISA_BF16(pair_up),
#endif
    .dot_heads = ISA(dot_heads),
    .mix_heads = ISA(mix_heads),
    .softmax_step = ISA(softmax_step),
    .relate = ISA(relate),
    .scale_lanes = ISA(scale_lanes),
    .transpose = ISA(transpose),
    .max = ISA(max),
    .exp_sum = ISA(exp_sum),
    .exp_sum_of = ISA(exp_sum_of),
    .scale = ISA(scale),
    .axpy = ISA(axpy),
    .add = ISA(add),
    .mul = ISA(mul),
    .act = ISA(act),
    .rmsnorm = ISA(rmsnorm),
    .layernorm = ISA(layernorm),
};
