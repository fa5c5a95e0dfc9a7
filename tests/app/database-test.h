/* SPDX-License-Identifier: MIT
 *
 * What the tests of the history's database share: a folder's database, short ways to fill it and to look into it. Main thread
 * of a test program only.
 */
#pragma once

#include "app/store/sl-database.h"
#include "app-test.h"

/* Opened for writing in dir; it has to work. */
SlDatabase *database_test_open (const char *dir);
void database_test_put_conversation (SlDatabase *database, gint64 id, const char *title);
void database_test_put_text (SlDatabase *database, gint64 id, gint64 conversation, gint64 parent, SlRole role, const char *text);
guint database_test_count_hits (SlDatabase *database, const char *query);
/* What purges have left for a quiet moment, to its end. */
void database_test_tidy (SlDatabase *database);
/* The database finds no fault with itself. */
void database_test_assert_sound (SlDatabase *database);
/* An answer to message 10 of conversation 1, with something in every field; its two boxes, one of them edited, are on this picture. */
SlMessageRecord *database_test_make_answer (gint64 id, const char *picture);
/* Of conversation 1. */
guint database_test_count_messages (SlDatabase *database);
