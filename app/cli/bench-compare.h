/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli bench --compare PROGRAM`: two builds run in turn, so that a busy machine is as unfair to one as to the other.
 */
#pragma once

#include "app/cli/cli.h"

/* Runs `bench` of this program and of `other` with these arguments (NULL-terminated) and prints how they compare, row by row. */
CliStatus cli_bench_compare (const CliOutput *output, const char *other, const char *const *arguments);
