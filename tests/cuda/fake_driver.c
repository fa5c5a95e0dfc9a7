/* SPDX-License-Identifier: MIT
 *
 * A libcuda.so.1 for tests: answers what kernels/cuda/loader.c asks of the driver as FAKE_CUDA_VERSION, _INIT, _COUNT, _CAPABILITY (one
 * per GPU, separated by blanks), _FREE_MIB and _RETAIN say. No GPU is behind it.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static int number(const char *name, int fallback)
{
    const char *text = getenv(name);

    return text ? atoi(text) : fallback;
}

/* The n-th number of a list; its last one for all further GPUs. */
static int nth(const char *name, int n, int fallback)
{
    const char *text = getenv(name);
    char *end;
    long value = fallback;

    while (text && n-- >= 0) {
        long next = strtol(text, &end, 10);

        if (end == text)
            break;
        value = next;
        text = end;
    }
    return (int)value;
}

static int current;

int cuInit(unsigned flags);
int cuDriverGetVersion(int *out);
int cuDeviceGetCount(int *out);
int cuDeviceGet(int *out, int ordinal);
int cuDeviceGetName(char *out, int size, int device);
int cuDeviceGetAttribute(int *out, int attribute, int device);
int cuDevicePrimaryCtxRetain(void **context, int device);
int cuDevicePrimaryCtxRelease_v2(int device);
int cuCtxPushCurrent_v2(void *context);
int cuCtxPopCurrent_v2(void **context);
int cuMemGetInfo_v2(size_t *free_bytes, size_t *total);

int cuInit(unsigned flags)
{
    return number("FAKE_CUDA_INIT", 0);
}

int cuDriverGetVersion(int *out)
{
    *out = number("FAKE_CUDA_VERSION", 13000);
    return 0;
}

int cuDeviceGetCount(int *out)
{
    *out = number("FAKE_CUDA_COUNT", 1);
    return 0;
}

int cuDeviceGet(int *out, int ordinal)
{
    *out = ordinal;
    return 0;
}

int cuDeviceGetName(char *out, int size, int device)
{
    snprintf(out, (size_t)size, "Fake GPU %d", device);
    return 0;
}

int cuDeviceGetAttribute(int *out, int attribute, int device)
{
    int capability = nth("FAKE_CUDA_CAPABILITY", device, 90);

    *out = attribute == 75 ? capability / 10 : capability % 10;
    return 0;
}

int cuDevicePrimaryCtxRetain(void **context, int device)
{
    *context = &current;
    current = device;
    return number("FAKE_CUDA_RETAIN", 0);
}

int cuDevicePrimaryCtxRelease_v2(int device)
{
    return 0;
}

int cuCtxPushCurrent_v2(void *context)
{
    return 0;
}

int cuCtxPopCurrent_v2(void **context)
{
    return 0;
}

int cuMemGetInfo_v2(size_t *free_bytes, size_t *total)
{
    *free_bytes = (size_t)nth("FAKE_CUDA_FREE_MIB", current, 7000) << 20;
    *total = (size_t)8000 << 20;
    return 0;
}
