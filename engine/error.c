/* SPDX-License-Identifier: MIT
 *
 * Formats the one error sentence. See engine/error.h.
 */
#include "engine/error.h"

#include <stdarg.h>
#include <stdio.h>

vl2_status vl2_fail(vl2_error *err, vl2_status code, const char *format, ...) {
    if (err) {
        va_list args;
        va_start(args, format);
        err->code = code;
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return code;
}
