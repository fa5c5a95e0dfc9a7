/* SPDX-License-Identifier: MIT
 *
 * What the tests of archives share: histories that are made at random, and short ways out of them and into them. Main thread of a test
 * program only.
 */
#pragma once

#include "app/exchange/sl-archive.h"
#include "app/exchange/sl-import.h"
#include "database-test.h"

#define EXCHANGE_TEST_START G_GINT64_CONSTANT (1700000000000000) /* µs */

/* What an import has come to. */
typedef struct
{
  guint n_conversations, n_new, n_messages;
  GPtrArray *faults;
  GError *error;
} Outcome;

static inline void
outcome_clear (Outcome *outcome)
{
  g_clear_pointer (&outcome->faults, g_ptr_array_unref);
  g_clear_error (&outcome->error);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Outcome, outcome_clear)

/* Every conversation of the history in dir into a file there; its path. */
char *exchange_test_export (const char *dir, GPtrArray *faults);
/* The same where nothing is wrong; its bytes. */
GBytes *exchange_test_export_bytes (const char *dir);
void exchange_test_import (const char *dir, const char *path, Outcome *outcome);
void exchange_test_import_bytes (const char *dir, const guint8 *data, gsize length, Outcome *outcome);
/* Nothing may be wrong with them. */
void exchange_test_import_whole (const char *dir, GBytes *bytes, Outcome *outcome);
void exchange_test_assert_same (GBytes *a, GBytes *b);

/* Conversations of up to n_messages in branches, with every kind of part, answers with records and boxes, settings, drafts, tombstones. */
void exchange_test_make_history (const char *dir, guint32 seed, guint n_conversations, guint n_messages);
/* One question and its answer. */
void exchange_test_put_small (const char *dir);
/* It is sound; what two words find in it, as a number. */
guint exchange_test_count_hits (const char *dir);
