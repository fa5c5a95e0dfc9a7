/* SPDX-License-Identifier: MIT
 *
 * Every reason why no GPU is used, and its sentence: with a fake driver (fake_driver.c, on LD_LIBRARY_PATH), modules of other
 * builds, and folders in place of /sys, /proc and /dev.
 *   test-cuda-loader GOOD_DIR OTHER_BUILD_DIR OTHER_ABI_DIR
 */
#include "kernels/cuda/loader.h"
#include "tests/tap.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void says(const struct vlk_error *err, const char *part, const char *name)
{
    if (!ok(strstr(err->text, part) != NULL, "%s", name))
        tap_diag("\"%s\" does not say \"%s\"", err->text, part);
}

static void refuses(const char *variable, const char *value, const char *part)
{
    struct vlk_error err = { 0 };
    struct vlk_backend *be;

    setenv(variable, value, 1);
    be = vlk_cuda_open(&(struct vlk_cuda_options){ .device = -1 }, &err);
    ok(!be && err.code != VLK_OK, "%s=%s: refused", variable, value);
    says(&err, part, "with a sentence");
    unsetenv(variable);
}

static void test_driver(void)
{
    struct vlk_cuda_device devices[4];
    struct vlk_error err = { 0 };
    struct vlk_backend *be;

    refuses("FAKE_CUDA_VERSION", "12020", "knows CUDA 12.2, and 12.4 is needed; install driver 550");
    refuses("FAKE_CUDA_VERSION", "12080", "built with CUDA 13.0, and the NVIDIA driver knows 12.8; install driver 580");
    refuses("FAKE_CUDA_CAPABILITY", "75", "compute capability 7.5; 8.0 (Ampere, RTX 30) or newer is needed");
    refuses("FAKE_CUDA_RETAIN", "2", "its memory is full, or another program holds it alone");
    setenv("FAKE_CUDA_COUNT", "3", 1);
    setenv("FAKE_CUDA_CAPABILITY", "75 86 90", 1);
    setenv("FAKE_CUDA_FREE_MIB", "9000 500 700", 1);
    is_int(vlk_cuda_devices(devices, 4, &err), 3, "three GPUs are listed");
    ok(devices[0].problem[0] && !devices[1].problem[0] && !devices[2].problem[0], "the old one has a problem, the others none");
    ok(devices[1].capability == 86 && devices[2].free_bytes == (uint64_t)700 << 20, "capability and free memory are those of the GPU");
    is_int(vlk_cuda_devices(devices, 2, &err), 2, "no more than there is room for");
    be = vlk_cuda_open(&(struct vlk_cuda_options){ .device = 0 }, &err);
    ok(!be, "a GPU that cannot be used is refused when asked for");
    says(&err, "7.5", "with its own reason");
    be = vlk_cuda_open(&(struct vlk_cuda_options){ .device = 5 }, &err);
    ok(!be, "a GPU that is not there is refused");
    says(&err, "GPU 5 was asked for, and the driver shows 3", "with the number");
    be = vlk_cuda_open(&(struct vlk_cuda_options){ .device = -1 }, &err);
    if (ok(be != NULL, "of those that work one is opened"))
        be->ops->close(be);
    unsetenv("FAKE_CUDA_COUNT");
    unsetenv("FAKE_CUDA_CAPABILITY");
    unsetenv("FAKE_CUDA_FREE_MIB");
}

static void test_modules(const char *good, const char *build, const char *abi)
{
    struct vlk_error err = { 0 };
    struct vlk_backend *be;

    refuses("SIGHTLINE_CUDA_DIR", "/nonexistent", "has no CUDA module");
    refuses("SIGHTLINE_CUDA_DIR", build, "is of another version (0.0.0)");
    refuses("SIGHTLINE_CUDA_DIR", abi, "is of another version (unknown)");
    setenv("SIGHTLINE_CUDA_DIR", good, 1);
    be = vlk_cuda_open(NULL, &err);
    if (!ok(be != NULL, "the module of this build opens"))
        tap_diag("%s", err.text);
    if (!be)
        return;
    is_str(be->ops->name, "cuda", "and is the CUDA backend");
    ok(strstr(be->ops->describe(be), "sm_90") != NULL, "which names its GPU: %s", be->ops->describe(be));
    ok(be->ops->memory_left(be) > 0, "and knows its memory");
    be->ops->close(be);
}

static void put(const char *root, const char *path, const char *text)
{
    char full[600];
    FILE *f;

    for (size_t i = 1; path[i]; i++)
        if (path[i] == '/') {
            snprintf(full, sizeof full, "%s%.*s", root, (int)i, path);
            mkdir(full, 0700);
        }
    snprintf(full, sizeof full, "%s%s", root, path);
    if ((f = fopen(full, "w"))) {
        fputs(text, f);
        fclose(f);
    }
}

static void test_machines(void)
{
    char root[] = "/tmp/cuda-loader-XXXXXX", command[64];
    struct vlk_error err = { 0 };

    if (!ok(mkdtemp(root) != NULL, "a folder to play with"))
        return;
    vlk_cuda_explain_no_driver(root, &err);
    is_str(err.text, "There is no NVIDIA GPU in this computer.", "no GPU");
    put(root, "/sys/bus/pci/devices/0000:00:02.0/vendor", "0x10de\n");
    put(root, "/sys/bus/pci/devices/0000:00:02.0/class", "0x0c0330\n");
    vlk_cuda_explain_no_driver(root, &err);
    says(&err, "no NVIDIA GPU", "an NVIDIA USB controller is no GPU");
    put(root, "/sys/bus/pci/devices/0000:01:00.0/vendor", "0x10de\n");
    put(root, "/sys/bus/pci/devices/0000:01:00.0/class", "0x030200\n");
    vlk_cuda_explain_no_driver(root, &err);
    says(&err, "install NVIDIA's driver 550", "a GPU without a driver");
    put(root, "/.flatpak-info", "");
    vlk_cuda_explain_no_driver(root, &err);
    says(&err, "flatpak update", "the same inside Flatpak");
    vlk_cuda_explain_init(root, 999, &err);
    says(&err, "not running", "a driver that is not loaded");
    vlk_cuda_explain_init(root, 35, &err);
    says(&err, "modprobe nvidia_uvm", "a driver without its memory module");
    put(root, "/proc/driver/nvidia/version", "NVRM version: 580\n");
    vlk_cuda_explain_init(root, 999, &err);
    says(&err, "modprobe nvidia_uvm", "nvidia_uvm is missing");
    put(root, "/dev/nvidia-uvm", "");
    vlk_cuda_explain_init(root, 999, &err);
    says(&err, "error 999", "something else: its number");
    vlk_cuda_explain_init(root, 100, &err);
    says(&err, "sees no GPU", "no device");
    setenv("CUDA_VISIBLE_DEVICES", "7", 1);
    vlk_cuda_explain_init(root, 100, &err);
    says(&err, "CUDA_VISIBLE_DEVICES is set to “7”", "hidden by the environment");
    unsetenv("CUDA_VISIBLE_DEVICES");
    snprintf(command, sizeof command, "rm -r '%s'", root);
    if (system(command) != 0)
        tap_diag("%s stays", root);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    setenv("SIGHTLINE_CUDA_DIR", argv[1], 1);
    test_driver();
    test_modules(argv[1], argv[2], argv[3]);
    test_machines();
    return tap_done();
}
