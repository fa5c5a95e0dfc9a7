/* SPDX-License-Identifier: MIT
 *
 * What the rules (sl-output-rules.c) and the writing (sl-output.c) share.
 */
#pragma once

#include <sys/stat.h>

#include "app/system/sl-output.h"

struct _SlOutputs
{
  gboolean     replace;
  GArray      *inputs; /* Input */
  GHashTable  *own;    /* "sha256 path", a set */
  SlOutputNote note;
  gpointer     note_data;
  GCancellable *cancellable; /* or NULL */
};

/* What is written as it is. Also standard output that is a file: the shell has emptied that already, and it has a place in it. */
gboolean sl_output_path_is_stream (const char *path, const struct stat *info);

/* NULL where it cannot be read. */
char *sl_output_hash_fd (int fd);
char *sl_output_hash_file (const char *path);
/* The last copy of an input that is reached another way: a second mount, a server's other share. */
gboolean sl_outputs_hold_input (const SlOutputs *self, const char *path, off_t size);

void sl_output_set_exists (GError **error, const char *path);
void sl_output_set_is_input (GError **error, const char *path);
