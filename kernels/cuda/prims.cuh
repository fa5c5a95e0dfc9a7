/* SPDX-License-Identifier: MIT
 *
 * What the kernels need of the machine below C++: tensor-core product, matrix loads, asynchronous copies, bf16 conversion,
 * streaming loads, dynamic shared memory. nvcc gets PTX here and nowhere else; the test build gets the same names from
 * tests/cuda/emulate.h, which runs a kernel's threads as fibers on the CPU. Included by every .cu and .cuh file.
 */
#ifndef VLK_CUDA_PRIMS_CUH
#define VLK_CUDA_PRIMS_CUH

#include <math.h>
#include <stdint.h>

#ifdef __CUDACC__
#include <cuda_runtime.h>

#define VLK_SHARED(type, name)                                \
    extern __shared__ __align__(128) unsigned char vlk_dynamic[]; \
    type *name = reinterpret_cast<type *>(vlk_dynamic)
/* By name: the emulation knows what ptxas says of a kernel under it. */
#define VLK_ASK_KERNEL(attributes, name, kernel) cudaFuncGetAttributes(attributes, kernel)
#define VLK_RAISE_SHARED(kernel, name, bytes) \
    cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)(bytes))
#define VLK_UNROLL _Pragma("unroll")
/* name: for the emulation, which counts launches. */
#define VLK_RUN(name, kernel, grid, block, bytes, stream, args) kernel<<<grid, block, bytes, stream>>>(args)

/* c[16][8] += a[16][16] b[16][8], bf16 in, f32 accumulated. Lane 4g + t holds of a: rows g, g+8 at columns 2t, 2t+1 (a0, a1)
 * and 2t+8, 2t+9 (a2, a3); of b: rows 2t, 2t+1 (b0) and 2t+8, 2t+9 (b1) at column g; of c: row g at columns 2t, 2t+1
 * (c0, c1) and row g+8 (c2, c3).   PTX ISA: mma.m16n8k16 */
static __device__ __forceinline__ void vlk_mma(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1)
{
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};\n"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* Four 8x8 matrices of 2-byte elements; lane l gives the address of row l % 8 of matrix l / 8 (16-byte aligned). */
static __device__ __forceinline__ void vlk_ldmatrix(uint32_t r[4], const void *row)
{
    uint32_t at = (uint32_t)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at));
}

static __device__ __forceinline__ void vlk_ldmatrix_trans(uint32_t r[4], const void *row)
{
    uint32_t at = (uint32_t)__cvta_generic_to_shared(row);
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at));
}

/* 16 bytes from global to shared memory, zeros where !valid; both 16-byte aligned. */
static __device__ __forceinline__ void vlk_copy_async(void *shared, const void *global, bool valid)
{
    uint32_t at = (uint32_t)__cvta_generic_to_shared(shared);
    int bytes = valid ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(at), "l"(global), "r"(bytes));
}
static __device__ __forceinline__ void vlk_copy_commit() { asm volatile("cp.async.commit_group;\n"); }
template <int PENDING> static __device__ __forceinline__ void vlk_copy_wait() { asm volatile("cp.async.wait_group %0;\n" ::"n"(PENDING)); }

/* 16 bytes that are read once: past the L1 cache. */
static __device__ __forceinline__ uint4 vlk_stream16(const void *p)
{
    uint4 v;
    asm("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];\n" : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p));
    return v;
}

/* Two f32 as bf16, round to nearest even; `low` goes into bits 0-15. */
static __device__ __forceinline__ uint32_t vlk_pack_bf16(float low, float high)
{
    uint32_t r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(r) : "f"(high), "f"(low));
    return r;
}
#elif !defined(VLK_EMULATED)
#error "compile with nvcc, or with tests/cuda/emulate.h"
#endif

static __device__ __forceinline__ float vlk_low(uint32_t pair) { return __uint_as_float(pair << 16); }
static __device__ __forceinline__ float vlk_high(uint32_t pair) { return __uint_as_float(pair & 0xffff0000u); }
static __device__ __forceinline__ float vlk_of_bf16(uint16_t bits) { return __uint_as_float((uint32_t)bits << 16); }
static __device__ __forceinline__ uint16_t vlk_to_bf16(float x) { return (uint16_t)vlk_pack_bf16(x, 0.0f); }

/* Exact, subnormals included: the exponent is rebiased by a multiplication (as kernels/quant.h does). */
static __device__ __forceinline__ float vlk_of_f16(uint16_t bits)
{
    float f = __uint_as_float((uint32_t)(bits & 0x7fff) << 13) * 0x1p112f;
    uint32_t u = __float_as_uint(f);

    if ((bits & 0x7c00) == 0x7c00)
        u |= 0x7f800000u;
    return __uint_as_float(u | (uint32_t)(bits & 0x8000) << 16);
}

/* Sum and maximum over a warp; every lane gets the result, formed in a fixed order. */
static __device__ __forceinline__ float vlk_warp_sum(float v)
{
    for (int o = 16; o; o >>= 1)
        v += __shfl_xor_sync(0xffffffffu, v, o);
    return v;
}
static __device__ __forceinline__ float vlk_warp_max(float v)
{
    for (int o = 16; o; o >>= 1)
        v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, o));
    return v;
}

/* Sum over the block in a fixed order; `room` holds 32 floats. Every thread calls it and gets the result. */
static __device__ __forceinline__ float vlk_block_sum(float v, float *room)
{
    int warps = (int)blockDim.x >> 5;
    float sum = 0;

    v = vlk_warp_sum(v);
    __syncthreads();
    if ((threadIdx.x & 31) == 0)
        room[threadIdx.x >> 5] = v;
    __syncthreads();
    for (int i = 0; i < warps; i++)
        sum += room[i];
    return sum;
}

#endif
