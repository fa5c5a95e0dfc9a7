/* SPDX-License-Identifier: MIT
 *
 * The new folder is made under another name beside its place and renamed when it is complete, so that what has the wanted name is
 * always whole.
 */
#include "app/inference/sl-quantise.h"

#include "app/inference/sl-model-folder.h"
#include "app/system/sl-output.h"

#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

#define MAX_COPIED_BYTES (64 * 1024 * 1024)
#define NOTICE_NAME      "CHANGES-OF-WEIGHTS.txt"

G_DEFINE_QUARK (sl-quantise-error-quark, sl_quantise_error)

static gboolean
fail (const vl2_error  *cause,
      const char       *model,
      GError          **error)
{
  g_autofree char *reason =
    cause->code == VL2_ERR_IO || cause->code == VL2_ERR_MODEL ? sl_model_folder_explain (model, NULL) : NULL;

  g_set_error_literal (error, SL_QUANTISE_ERROR, cause->code, reason != NULL ? reason : cause->text);
  return FALSE;
}

/* ------------------------------------------------------------------------------------------------ files beside the weights */

/* What describes a model: its settings, tokenizer, texts and licences; not its weights and not code. The list of a download is
 * of the weights that it brought. */
static gboolean
is_wanted (const char *name)
{
  static const char *const suffixes[] = { ".json", ".txt", ".md", ".model", ".jinja" };

  if (g_str_has_suffix (name, ".index.json") || g_str_equal (name, NOTICE_NAME) || g_str_equal (name, "sightline-download.json"))
    return FALSE;
  if (g_str_has_prefix (name, "LICENSE") || g_str_has_prefix (name, "NOTICE"))
    return TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (suffixes); i++)
    if (g_str_has_suffix (name, suffixes[i]))
      return TRUE;
  return FALSE;
}

static gboolean
copy_files (const SlQuantiseOptions  *options,
            const char               *folder,
            GError                  **error)
{
  g_autoptr (GDir) dir = g_dir_open (options->model, 0, error);
  const char *name;

  if (dir == NULL)
    return FALSE;
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (options->model, name, NULL);
      g_autofree char *copy = g_build_filename (folder, name, NULL);
      g_autoptr (GFile) source = g_file_new_for_path (path);
      g_autoptr (GFile) target = g_file_new_for_path (copy);
      GStatBuf info;

      if (!is_wanted (name) || g_stat (path, &info) != 0 || !S_ISREG (info.st_mode) || info.st_size > MAX_COPIED_BYTES)
        continue;
      if (!g_file_copy (source, target, G_FILE_COPY_TARGET_DEFAULT_PERMS, options->cancellable, NULL, NULL, error))
        return FALSE;
    }
  return TRUE;
}

/* The licence of DeepSeek's weights asks that changed files say so; the safetensors file itself does, in its metadata. */
static gboolean
write_notice (const SlQuantiseOptions           *options,
              const char                        *folder,
              const struct vl2_quantise_report  *report,
              GError                           **error)
{
  g_autofree char *path = g_build_filename (folder, NOTICE_NAME, NULL);
  g_autofree char *text = g_strdup_printf (
    "The weights in this folder were changed.\n\n"
    "Sightline %s rounded the weights of the original model to fewer bits (format %s, vision %s) and\n"
    "wrote them as model.safetensors. Nothing was trained. Hash of the original's tensors: %s.\n\n"
    "The other files are copies of the original's. The licence of the original weights applies to these, its\n"
    "restrictions of use included: for DeepSeek-VL2 the DeepSeek Model License, which is to be handed on with them.\n",
    SL_VERSION, vl2_format_name (options->format), options->vision_int8 ? "int8" : "bf16", report->source);

  return g_file_set_contents (path, text, -1, error);
}

/* ------------------------------------------------------------------------------------------------ the new folder */

static gboolean
opens (const SlQuantiseOptions  *options,
       const char               *folder,
       GError                  **error)
{
  const struct vl2_engine_options opening = {
    .device = "cpu", .threads = 1, .memory_limit = UINT64_MAX, .cancel = options->watch != NULL ? options->watch->cancel : NULL
  };
  vl2_error cause = { 0 };
  vl2_engine *engine = NULL;
  vl2_status status = vl2_engine_open (folder, &opening, &engine, &cause);

  vl2_engine_close (engine);
  if (status == VL2_OK && options->verify)
    status = vl2_contents_verify (folder, options->watch, &cause);
  return status == VL2_OK || fail (&cause, folder, error);
}

static gboolean
fill_folder (const SlQuantiseOptions     *options,
             const char                  *folder,
             struct vl2_quantise_report  *report,
             GError                     **error)
{
  g_autofree char *path = g_build_filename (folder, "model.safetensors", NULL);
  const struct vl2_quantise_options quantise = {
    .format = options->format,
    .vision_int8 = options->vision_int8,
    .threads = options->threads,
    .program = "Sightline " SL_VERSION,
    .watch = options->watch,
  };
  vl2_error cause = { 0 };

  if (vl2_quantise (options->model, path, &quantise, report, &cause) != VL2_OK)
    return fail (&cause, options->model, error);
  return copy_files (options, folder, error) && write_notice (options, folder, report, error) && opens (options, folder, error);
}

gboolean
sl_quantise_folder (const SlQuantiseOptions     *options,
                    struct vl2_quantise_report  *report,
                    GError                     **error)
{
  g_autofree char *partial = NULL;
  gboolean good;
  int hold;

  if (g_file_test (options->out, G_FILE_TEST_EXISTS) || g_file_test (options->out, G_FILE_TEST_IS_SYMLINK))
    {
      g_autofree char *name = g_filename_display_name (options->out);

      g_set_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS, _("“%s” exists already."), name);
      return FALSE;
    }
  partial = sl_output_folder_begin (options->out, error);
  if (partial == NULL)
    return FALSE;
  hold = sl_output_folder_hold (partial);
  good = fill_folder (options, partial, report, error) && sl_output_folder_finish (partial, options->out, error);
  if (!good)
    sl_output_folder_discard (partial);
  if (hold >= 0)
    close (hold);
  return good;
}
