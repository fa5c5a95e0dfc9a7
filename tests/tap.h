/* SPDX-License-Identifier: MIT
 *
 * Test Anything Protocol for the C test programs: ok/is_int/is_str/near print one line each, tap_done() prints the plan when
 * none was given and is the value of main(). Used from the main thread of a test program only; knows nothing of the product.
 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static int tap_run, tap_failed, tap_planned = -1;

/* Announces the number of tests; optional. */
static inline void tap_plan(int count)
{
    tap_planned = count;
    printf("1..%d\n", count);
}

__attribute__((format(printf, 1, 2))) static inline void tap_diag(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("# ", stdout);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    fflush(stdout);
}

__attribute__((format(printf, 2, 3))) static inline bool ok(bool pass, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    printf("%sok %d - ", pass ? "" : "not ", ++tap_run);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    tap_failed += !pass;
    fflush(stdout);
    return pass;
}

static inline bool is_int(int64_t got, int64_t want, const char *name)
{
    bool pass = ok(got == want, "%s", name);

    if (!pass)
        tap_diag("got %" PRId64 ", want %" PRId64, got, want);
    return pass;
}

static inline bool is_str(const char *got, const char *want, const char *name)
{
    bool pass = ok(got && want ? strcmp(got, want) == 0 : got == want, "%s", name);

    if (!pass)
        tap_diag("got \"%s\", want \"%s\"", got ? got : "(null)", want ? want : "(null)");
    return pass;
}

/* |got - want| <= tolerance; a NaN fails. */
static inline bool near(double got, double want, double tolerance, const char *name)
{
    bool pass = ok(fabs(got - want) <= tolerance, "%s", name);

    if (!pass)
        tap_diag("got %.9g, want %.9g within %.3g", got, want, tolerance);
    return pass;
}

/* The exit status: 0 when every test passed and as many ran as planned. */
static inline int tap_done(void)
{
    if (tap_planned < 0)
        printf("1..%d\n", tap_run);
    else if (tap_planned != tap_run)
        tap_diag("planned %d tests, ran %d", tap_planned, tap_run);
    return tap_failed || (tap_planned >= 0 && tap_planned != tap_run);
}

#endif
