/* SPDX-License-Identifier: MIT
 *
 * Every file that Sightline writes for a user goes through here. A path is new, or replacing it was asked for, or it is
 * refused with a sentence that names it; what the same work reads is never written over, whatever it is called. A file gets
 * its name when it is complete and on the disk: until then it has none, so that neither a kill nor a full disk leaves half of
 * one, and whoever was faster with the name keeps it.
 *
 * SlOutputs holds the rules of one piece of work, SlOutput is a file on its way. Called by exports and the command line, one
 * thread at a time, any thread. It must not know what the files hold. The window's own data (app/store/) does not come here.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _SlOutputs SlOutputs;
typedef struct _SlOutput SlOutput;

/* A complete file is about to get its name; FALSE with error keeps it from it. For a journal of what is one's own. */
typedef gboolean (*SlOutputNote) (const char *path, const char *sha256, gpointer user_data, GError **error);

/* replace: files that exist may be replaced, folders and inputs never. */
SlOutputs *sl_outputs_new       (gboolean       replace);
void       sl_outputs_free      (SlOutputs     *self);
void       sl_outputs_set_replace (SlOutputs   *self,
                                   gboolean     replace);
/* The work reads this: a file, or a folder for the files in it. What is not there is nothing. */
void       sl_outputs_add_input (SlOutputs     *self,
                                 const char    *path);
/* An earlier part of the same work wrote this: while it holds just that, it may be replaced. */
void       sl_outputs_add_own   (SlOutputs     *self,
                                 const char    *path,
                                 const char    *sha256);
void       sl_outputs_set_note  (SlOutputs     *self,
                                 SlOutputNote   note,
                                 gpointer       user_data);
/* What is cancelled ends with G_IO_ERROR_CANCELLED instead of getting its name. */
void       sl_outputs_set_cancellable (SlOutputs *self,
                                       GCancellable *cancellable);

/* Is there such an input, under any name? */
gboolean   sl_outputs_is_input  (const SlOutputs *self,
                                 const char    *path);
/* Does the file hold just what sl_outputs_add_own() was told of it? */
gboolean   sl_outputs_is_own    (const SlOutputs *self,
                                 const char    *path);
/* Could path be written now? To be asked before the work that fills it. Errors: G_IO_ERROR_EXISTS where replacing could be
 * asked for, others where it could not. */
gboolean   sl_outputs_check     (const SlOutputs *self,
                                 const char    *path,
                                 GError       **error);

/* A device, pipe or /dev/fd/N is written as it is; nothing else appears under path before sl_output_finish(). self outlives it. */
SlOutput  *sl_outputs_open      (SlOutputs     *self,
                                 const char    *path,
                                 GError       **error);
int        sl_output_get_fd     (SlOutput      *self);
/* The next bytes: 0, or errno, which is ECANCELED as soon as the work is cancelled. */
int        sl_output_write      (SlOutput      *self,
                                 const void    *data,
                                 gsize          size);
gboolean   sl_output_is_stream  (SlOutput      *self); /* a device or pipe: there is no way back in it */
/* Takes self. saved_errno: why writing failed, 0 where it did not; then nothing is left of the file. */
gboolean   sl_output_finish     (SlOutput      *self,
                                 int            saved_errno,
                                 GError       **error);
void       sl_output_discard    (SlOutput      *self);

/* All of it at once. */
gboolean   sl_outputs_write     (SlOutputs     *self,
                                 const char    *path,
                                 const void    *data,
                                 gsize          size,
                                 GError       **error);
/* 0, or errno. */
int        sl_output_write_all  (int            fd,
                                 const void    *data,
                                 gsize          size);

/* A folder that appears when it is complete: begin gives the path to fill, beside the one it will have. (transfer full) */
char      *sl_output_folder_begin   (const char  *path,
                                     GError     **error);
/* FALSE with G_IO_ERROR_EXISTS where something has the name by now; the folder can be finished under another one then. */
gboolean   sl_output_folder_finish  (const char  *temporary,
                                     const char  *path,
                                     GError     **error);
/* With all that is in it. */
void       sl_output_folder_discard (const char  *temporary);
/* Says that the folder is being filled, until the descriptor that it returns is closed or the process ends; -1: it cannot be said. */
int        sl_output_folder_hold    (const char  *temporary);
/* Does anybody say so? */
gboolean   sl_output_folder_is_held (const char  *temporary);
/* Removes what a killed run left in this folder. Only where no other run can be at work in it. */
void       sl_output_sweep          (const char  *folder);

/* "“x” cannot be written: reason." with the code of saved_errno. */
void       sl_output_set_error      (GError     **error,
                                     const char  *path,
                                     int          saved_errno);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlOutputs, sl_outputs_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlOutput, sl_output_discard)

G_END_DECLS
