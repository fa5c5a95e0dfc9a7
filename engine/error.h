/* SPDX-License-Identifier: MIT
 *
 * How engine/ reports failure: one sentence, one code, returned as the status. Used by every file of engine/.
 */
#ifndef VL2_ERROR_H
#define VL2_ERROR_H

#include "engine/vl2.h"

/* Fills err (may be NULL) with the formatted sentence and returns code: `return vl2_fail(err, VL2_ERR_MODEL, "…", …);` */
vl2_status vl2_fail(vl2_error *err, vl2_status code, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
