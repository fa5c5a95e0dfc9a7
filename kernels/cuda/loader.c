/* SPDX-License-Identifier: MIT
 *
 * Finding a GPU: asks the NVIDIA driver, chooses a device, loads the CUDA module, and says in plain words why none of it works
 * and what would help. Called by engine/ on its inference thread. Nothing of CUDA is linked: without a driver no library is
 * loaded and no thread is started. Knows no kernel.
 */
#include "kernels/cuda/loader.h"

#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/cuda/module.h"

/* Drivers of the 550 series know CUDA 12.4: the oldest that a module built with any CUDA 12 is offered to. */
enum { MIN_DRIVER = 12040, MIN_CAPABILITY = 80, NO_DEVICE = 100, TOO_OLD = 35, ATTRIBUTE_MAJOR = 75, ATTRIBUTE_MINOR = 76 };

/* The part of the driver's interface that is asked here (cuda.h); every function returns 0 for success. */
struct driver {
    void *library;
    int knows; /* its CUDA version: 13000 */
    int (*init)(unsigned flags);
    int (*version)(int *out);
    int (*count)(int *out);
    int (*device)(int *out, int ordinal);
    int (*name)(char *out, int size, int device);
    int (*attribute)(int *out, int attribute, int device);
    int (*retain)(void **context, int device);
    int (*release)(int device);
    int (*push)(void *context);
    int (*pop)(void **context);
    int (*memory)(size_t *free_bytes, size_t *total);
};

__attribute__((format(printf, 3, 4))) static int explain(struct vlk_error *err, vlk_status code, const char *format, ...)
{
    va_list args;

    if (err) {
        err->code = code;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return 0;
}

/* ------------------------------------------------------------------------------------------------ what the machine has */

static bool file_says(const char *root, const char *path, const char *wanted)
{
    char full[PATH_MAX], text[32] = "";
    FILE *f;

    if (snprintf(full, sizeof full, "%s%s", root, path) >= (int)sizeof full || !(f = fopen(full, "re")))
        return false;
    if (!fgets(text, sizeof text, f))
        text[0] = '\0';
    fclose(f);
    return !strncmp(text, wanted, strlen(wanted));
}

/* True when the PCI bus has a display controller or accelerator of NVIDIA. */
static bool has_nvidia_hardware(const char *root)
{
    char folder[PATH_MAX], path[NAME_MAX + 64];
    struct dirent *entry;
    bool found = false;
    DIR *dir;

    snprintf(folder, sizeof folder, "%s/sys/bus/pci/devices", root);
    dir = opendir(folder);
    while (dir && !found && (entry = readdir(dir))) {
        snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/vendor", entry->d_name);
        if (entry->d_name[0] == '.' || !file_says(root, path, "0x10de"))
            continue;
        snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/class", entry->d_name);
        found = file_says(root, path, "0x03") || file_says(root, path, "0x12");
    }
    if (dir)
        closedir(dir);
    return found;
}

static bool exists(const char *root, const char *path)
{
    char full[PATH_MAX];

    return snprintf(full, sizeof full, "%s%s", root, path) < (int)sizeof full && access(full, F_OK) == 0;
}

int vlk_cuda_explain_no_driver(const char *root, struct vlk_error *err)
{
    if (!has_nvidia_hardware(root) && !exists(root, "/proc/driver/nvidia/version"))
        return explain(err, VLK_ERR_UNSUPPORTED, "There is no NVIDIA GPU in this computer.");
    if (exists(root, "/.flatpak-info"))
        return explain(err, VLK_ERR_UNSUPPORTED, "The NVIDIA driver is not visible inside Flatpak; `flatpak update` installs the "
                       "extension org.freedesktop.Platform.GL.nvidia that fits the driver.");
    return explain(err, VLK_ERR_UNSUPPORTED, "There is an NVIDIA GPU, but its driver's library libcuda.so.1 is not installed; "
                   "install NVIDIA's driver 550 or newer.");
}

int vlk_cuda_explain_init(const char *root, int code, struct vlk_error *err)
{
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");

    if (code == NO_DEVICE && visible)
        return explain(err, VLK_ERR_UNSUPPORTED, "CUDA_VISIBLE_DEVICES is set to “%.40s”, which leaves no GPU; unset it.", visible);
    if (!exists(root, "/proc/driver/nvidia/version") && code != TOO_OLD)
        return explain(err, VLK_ERR_UNSUPPORTED, "The NVIDIA driver is installed but not running (error %d); "
                       "`sudo modprobe nvidia` or a restart starts it.", code);
    if (!exists(root, "/dev/nvidia-uvm"))
        return explain(err, VLK_ERR_UNSUPPORTED, "The kernel module nvidia_uvm is not loaded (error %d); "
                       "`sudo modprobe nvidia_uvm` loads it.", code);
    if (code == NO_DEVICE)
        return explain(err, VLK_ERR_UNSUPPORTED, "The NVIDIA driver sees no GPU; `nvidia-smi` shows its state.");
    return explain(err, VLK_ERR_DEVICE, "The NVIDIA driver could not start (error %d); a restart, or a driver that fits the "
                   "kernel, helps. `nvidia-smi` says more.", code);
}

/* ------------------------------------------------------------------------------------------------ driver */

static bool load_symbols(struct driver *d)
{
    struct {
        void *at;
        const char *name;
    } const symbols[] = {
        { &d->init, "cuInit" },
        { &d->version, "cuDriverGetVersion" },
        { &d->count, "cuDeviceGetCount" },
        { &d->device, "cuDeviceGet" },
        { &d->name, "cuDeviceGetName" },
        { &d->attribute, "cuDeviceGetAttribute" },
        { &d->retain, "cuDevicePrimaryCtxRetain" },
        { &d->release, "cuDevicePrimaryCtxRelease_v2" },
        { &d->push, "cuCtxPushCurrent_v2" },
        { &d->pop, "cuCtxPopCurrent_v2" },
        { &d->memory, "cuMemGetInfo_v2" },
    };

    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        void *symbol = dlsym(d->library, symbols[i].name);

        if (!symbol)
            return false;
        memcpy(symbols[i].at, &symbol, sizeof symbol);
    }
    return true;
}

/* Loads and starts the driver; the number of its GPUs, or 0 + why. */
static int open_driver(struct driver *d, struct vlk_error *err)
{
    int version = 0, count = 0, code;

    *d = (struct driver){ .library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL) };
    if (!d->library)
        return vlk_cuda_explain_no_driver("", err);
    if (!load_symbols(d) || d->version(&version))
        return explain(err, VLK_ERR_UNSUPPORTED, "The NVIDIA driver is too old to be asked; install driver 550 or newer.");
    if (version < MIN_DRIVER)
        return explain(err, VLK_ERR_UNSUPPORTED, "The NVIDIA driver knows CUDA %d.%d, and %d.%d is needed; install driver 550 or "
                       "newer.", version / 1000, version % 1000 / 10, MIN_DRIVER / 1000, MIN_DRIVER % 1000 / 10);
    d->knows = version;
    if ((code = d->init(0)) || (code = d->count(&count)))
        return vlk_cuda_explain_init("", code, err);
    return count > 0 ? count : vlk_cuda_explain_init("", NO_DEVICE, err);
}

static void close_driver(struct driver *d)
{
    if (d->library)
        dlclose(d->library);
}

/* ------------------------------------------------------------------------------------------------ module */

/* Folders that may hold the module: the one named by SIGHTLINE_CUDA_DIR alone, or the build's, the installed one and the
 * Flatpak extension's. Never the current folder or the loader's search path. */
static bool module_path(int which, char *out, size_t size)
{
    const char *chosen = getenv("SIGHTLINE_CUDA_DIR");
    char exe[PATH_MAX] = "";
    ssize_t length;

    if (chosen && *chosen)
        return which == 0 && snprintf(out, size, "%s/%s", chosen, VLK_CUDA_FILE) < (int)size;
    if (which == 0) {
        length = readlink("/proc/self/exe", exe, sizeof exe - 1);
        for (int up = 0; length > 0 && up < 2; up++) {
            exe[length] = '\0';
            if (strrchr(exe, '/'))
                *strrchr(exe, '/') = '\0';
            length = (ssize_t)strlen(exe);
        }
        return snprintf(out, size, "%.*s/kernels/cuda/%s", PATH_MAX - 64, exe, VLK_CUDA_FILE) < (int)size;
    }
    if (which == 1)
        return snprintf(out, size, "%s/%s", VLK_MODULE_DIR, VLK_CUDA_FILE) < (int)size;
    return which == 2 && snprintf(out, size, "/app/extensions/cuda/%s", VLK_CUDA_FILE) < (int)size;
}

/* A module runs with any driver that knows its CUDA's major version. */
static bool driver_suits(const struct vlk_cuda_module *module, int knows, struct vlk_error *err)
{
    const int major = module->toolkit / 1000;

    if (knows / 1000 >= major)
        return true;
    explain(err, VLK_ERR_UNSUPPORTED, "The CUDA module was built with CUDA %d.%d, and the NVIDIA driver knows %d.%d; install driver %d or newer, "
            "or a Sightline that was built with CUDA %d.", major, module->toolkit % 1000 / 10, knows / 1000, knows % 1000 / 10,
            major >= 13 ? 580 : 550, knows / 1000);
    return false;
}

static const struct vlk_cuda_module *load_module(int knows, struct vlk_error *err)
{
    static const char reinstall[] = "reinstall Sightline so that both come from one build";
    const struct vlk_cuda_module *module;
    char path[PATH_MAX];
    void *library = NULL;
    int i = 0;

    while (module_path(i, path, sizeof path) && access(path, F_OK) != 0)
        i++;
    if (!module_path(i, path, sizeof path)) {
        explain(err, VLK_ERR_UNSUPPORTED, "This installation has no CUDA module (" VLK_CUDA_FILE "); install Sightline's CUDA "
                "package, or build with -Dcuda=enabled.");
        return NULL;
    }
    /* Never closed: the driver keeps threads that run code of the runtime inside it. */
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        explain(err, VLK_ERR_DEVICE, "The CUDA module cannot be loaded: %.180s.", dlerror());
        return NULL;
    }
    module = dlsym(library, VLK_CUDA_SYMBOL);
    if (!module || module->abi != VLK_ABI_VERSION || strcmp(module->build, VLK_BUILD_ID) != 0) {
        explain(err, VLK_ERR_DEVICE, "The CUDA module is of another version (%.40s) than this program (%s); %s.",
                module && module->abi == VLK_ABI_VERSION ? module->build : "unknown", VLK_BUILD_ID, reinstall);
        return NULL;
    }
    return driver_suits(module, knows, err) ? module : NULL;
}

static void describe_device(const struct driver *d, int ordinal, struct vlk_cuda_device *out)
{
    int device = 0, major = 0, minor = 0;
    size_t free_bytes = 0, total = 0;
    void *context = NULL;

    *out = (struct vlk_cuda_device){ .ordinal = ordinal };
    if (d->device(&device, ordinal) || d->name(out->name, sizeof out->name, device) ||
        d->attribute(&major, ATTRIBUTE_MAJOR, device) || d->attribute(&minor, ATTRIBUTE_MINOR, device)) {
        snprintf(out->problem, sizeof out->problem, "GPU %d does not answer; `nvidia-smi` shows its state.", ordinal);
        return;
    }
    out->capability = 10 * major + minor;
    if (out->capability < MIN_CAPABILITY) {
        snprintf(out->problem, sizeof out->problem, "%.60s has compute capability %d.%d; 8.0 (Ampere, RTX 30) or newer is needed.",
                 out->name, major, minor);
        return;
    }
    if (d->retain(&context, device)) {
        snprintf(out->problem, sizeof out->problem,
                 "%.60s cannot be used now: its memory is full, or another program holds it alone.", out->name);
        return;
    }
    if (!d->push(context)) {
        d->memory(&free_bytes, &total);
        d->pop(&context);
    }
    d->release(device);
    out->free_bytes = free_bytes;
    out->total_bytes = total;
}

/* A GPU is promised only when a kernel could be loaded on it. */
static void check_device(const struct vlk_cuda_module *module, struct vlk_cuda_device *device)
{
    struct vlk_error err = { 0 };

    if (!device->problem[0] && !module->check(device->ordinal, &err))
        snprintf(device->problem, sizeof device->problem, "%s", err.text);
}

/* The GPUs, and *module or why it cannot be used. */
static int list_devices(struct vlk_cuda_device *out, int room, const struct vlk_cuda_module **module, struct vlk_error *err)
{
    struct driver driver;
    int count = open_driver(&driver, err);

    *module = NULL;
    for (int i = 0; i < count && i < room; i++)
        describe_device(&driver, i, &out[i]);
    if (count > 0)
        *module = load_module(driver.knows, err);
    for (int i = 0; *module && i < count && i < room; i++)
        check_device(*module, &out[i]);
    close_driver(&driver);
    return count < room ? count : room;
}

int vlk_cuda_devices(struct vlk_cuda_device *out, int room, struct vlk_error *err)
{
    const struct vlk_cuda_module *module;
    struct vlk_error why = { 0 };
    int count = list_devices(out, room, &module, &why);

    for (int i = 0; !module && i < count; i++)
        if (!out[i].problem[0])
            snprintf(out[i].problem, sizeof out[i].problem, "%s", why.text);
    if (err && count)
        *err = (struct vlk_error){ 0 };
    else if (err)
        *err = why;
    return count;
}

/* The wanted GPU, or of those that can be used the one with the most free memory; NULL + why. */
static const struct vlk_cuda_device *choose(const struct vlk_cuda_device *devices, int count, int wanted, struct vlk_error *err)
{
    const struct vlk_cuda_device *best = NULL;

    if (wanted >= count) {
        explain(err, VLK_ERR_UNSUPPORTED, "GPU %d was asked for, and the driver shows %d.", wanted, count);
        return NULL;
    }
    for (int i = 0; i < count; i++)
        if ((wanted < 0 || i == wanted) && !devices[i].problem[0] && (!best || devices[i].free_bytes > best->free_bytes))
            best = &devices[i];
    if (!best)
        explain(err, VLK_ERR_UNSUPPORTED, "%s", devices[wanted < 0 ? 0 : wanted].problem);
    return best;
}

struct vlk_backend *vlk_cuda_open(const struct vlk_cuda_options *options, struct vlk_error *err)
{
    struct vlk_cuda_device devices[VLK_CUDA_MAX_DEVICES];
    const struct vlk_cuda_module *module;
    const struct vlk_cuda_device *device;
    struct vlk_error problem = { 0 };
    int count = list_devices(devices, VLK_CUDA_MAX_DEVICES, &module, err);

    if (count == 0)
        return NULL;
    device = choose(devices, count, options ? options->device : -1, &problem);
    if (!device && err)
        *err = problem;
    return module && device ? module->open(device->ordinal, err) : NULL;
}
