/* SPDX-License-Identifier: MIT
 *
 * The history's schema, version by version, and the way from any older version to the newest: one transaction per step, a copy
 * of the database in backups/ before the first. Called by sl-database.c while it opens; knows SQLite and nothing else.
 */
#pragma once

#include <glib.h>
#include <sqlite3.h>

G_BEGIN_DECLS

/* The schema that this program writes. */
#define SL_DATABASE_VERSION 7

/* migrations[v] leads from version v to v + 1. */
extern const char *const sl_schema_migrations[];
extern const int sl_schema_n_migrations;

/* Brings the open database at `path` to version n_migrations. FALSE: SL_STORE_ERROR; nothing changed in the step that failed. A
 * newer version, or a database of another program, is refused and left as it is. */
gboolean sl_schema_migrate (sqlite3 *db, const char *path, const char *const *migrations, int n_migrations, GError **error);
/* Copies the open database at `path` page by page, syncs, then gives the copy its name. */
gboolean sl_schema_copy (sqlite3 *db, const char *path, const char *target, GError **error);
/* Only the refusal: for reading opens. */
gboolean sl_schema_check_version (sqlite3 *db, const char *path, int n_migrations, GError **error);

G_END_DECLS
