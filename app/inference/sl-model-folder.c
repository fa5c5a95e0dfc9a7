/* SPDX-License-Identifier: MIT
 *
 * Words for what the engine finds in a model's folder.
 */
#include "app/inference/sl-model-folder.h"

#include <limits.h>
#include <string.h>

#include <glib/gi18n-lib.h>

#include "engine/model_folder.h"
#include "engine/vl2.h"

char *
sl_model_folder_resolve (const char *dir)
{
  char files[PATH_MAX];

  vl2_folder_find (dir, files, sizeof files);
  return g_strdup (strlen (dir) < sizeof files ? files : dir);
}

char *
sl_model_folder_dup_name (const char *dir)
{
  char name[256];

  vl2_folder_name (dir, name, sizeof name);
  return g_strdup (name);
}

/* ------------------------------------------------------------------------------------------------ problems */

/* What says most comes first: a cause before what is merely not there. */
static const guint8 ranks[] = {
  [VL2_FOLDER_ABSENT] = 0,     [VL2_FOLDER_NO_FOLDER] = 0,  [VL2_FOLDER_NO_SNAPSHOT] = 0, [VL2_FOLDER_MANY_SNAPSHOTS] = 0,
  [VL2_FOLDER_NO_MODEL] = 0,   [VL2_FOLDER_ADAPTER] = 1,    [VL2_FOLDER_GGUF] = 1,        [VL2_FOLDER_PICKLE] = 1,
  [VL2_FOLDER_UNFINISHED] = 2, [VL2_FOLDER_POINTER] = 3,    [VL2_FOLDER_PAGE] = 3,        [VL2_FOLDER_NO_INDEX] = 4,
  [VL2_FOLDER_OTHER_NAME] = 4, [VL2_FOLDER_NO_WEIGHTS] = 4, [VL2_FOLDER_CUT] = 5,         [VL2_FOLDER_EMPTY] = 5,
  [VL2_FOLDER_DANGLING] = 6,   [VL2_FOLDER_MISSING] = 7,
};

/* In each sentence %1$s is the folder and %2$s the file in it. */
static const char *
get_format (vl2_folder_kind kind)
{
  switch (kind)
    {
    case VL2_FOLDER_ABSENT:
      return _("“%1$s” is not there. Was it moved, or is its disk not connected?");
    case VL2_FOLDER_NO_FOLDER:
      return _("“%1$s” is a file. Choose the folder that it is in.");
    case VL2_FOLDER_NO_SNAPSHOT:
      return _("“%1$s” is the cache of a model that has not been downloaded. Download it again.");
    case VL2_FOLDER_MANY_SNAPSHOTS:
      return _("“%1$s” is the cache of several versions of a model, and none is marked as the present one. Choose one of the folders in "
               "its “snapshots”.");
    case VL2_FOLDER_MISSING:
      return _("“%1$s” is not complete: %2$s is missing. Download it, too.");
    case VL2_FOLDER_DANGLING:
      return _("“%1$s” is not complete: %2$s is a link to a file that is not there any more. Download it again.");
    case VL2_FOLDER_EMPTY:
      return _("“%1$s” is not complete: %2$s is empty. Download it again.");
    case VL2_FOLDER_POINTER:
      return _("“%1$s” is not complete: %2$s is a pointer of git-lfs in the place of the file. Fetch the file itself, for example with "
               "“git lfs pull”.");
    case VL2_FOLDER_PAGE:
      return _("“%1$s” is not complete: %2$s is what a web server said instead of sending the file. Download it again; you may have to "
               "sign in there or accept a licence first.");
    case VL2_FOLDER_UNFINISHED:
      return _("“%1$s” is not complete: a download has not ended (%2$s). Let it go on, or start it again.");
    case VL2_FOLDER_NO_INDEX:
      return _("“%1$s” is not complete: beside %2$s and others it needs model.safetensors.index.json, which says what is in which file. "
               "Download it, too.");
    case VL2_FOLDER_GGUF:
      return _("“%1$s” holds a model for llama.cpp (%2$s), which cannot be read here. Choose the original model, whose files end in "
               ".safetensors.");
    case VL2_FOLDER_PICKLE:
      return _("“%1$s” holds weights in a form of PyTorch (%2$s), which cannot be read here. Choose files that end in .safetensors, or make "
               "them with transformers' save_pretrained().");
    case VL2_FOLDER_ADAPTER:
      return _("“%1$s” holds an adapter (LoRA, %2$s), which is no model by itself. Merge it into the model that it was made for "
               "(merge_and_unload() of peft), and save that.");
    case VL2_FOLDER_NO_WEIGHTS:
      return _("“%1$s” holds no weights (*.safetensors). Download them, too.");
    case VL2_FOLDER_NO_MODEL:
      return _("“%1$s” holds no model: there is neither a config.json nor a file that ends in .safetensors.");
    case VL2_FOLDER_CUT:
    case VL2_FOLDER_OTHER_NAME:
    default:
      return NULL;
    }
}

typedef struct
{
  guint rank;
  char *sentence;
} Problem;

static void
problem_free (Problem *self)
{
  g_free (self->sentence);
  g_free (self);
}

typedef struct
{
  GPtrArray  *problems; /* of Problem */
  const char *shown;
  const char *only; /* NULL or the beginning of names */
} Listing;

static void
on_problem (const struct vl2_folder_problem *found,
            void                            *user)
{
  Listing *self = user;
  g_autofree char *file = g_filename_display_name (found->file);
  Problem *problem;

  if (self->only != NULL && found->file[0] != '\0' && !g_str_has_prefix (found->file, self->only))
    return;
  problem = g_new0 (Problem, 1);
  problem->rank = ranks[found->kind];
  if (found->kind == VL2_FOLDER_CUT)
    {
      g_autofree char *bytes = g_format_size (found->bytes);
      g_autofree char *needed = g_format_size (found->needed);

      problem->sentence = g_strdup_printf (_("“%1$s” is not complete: of %2$s there are only %3$s of %4$s. Download it again."), self->shown,
                                           file, bytes, needed);
    }
  else if (found->kind == VL2_FOLDER_OTHER_NAME)
    problem->sentence = g_strdup_printf (_("“%1$s” holds %2$s, which has to be called %3$s."), self->shown, file, found->wanted);
  else
    problem->sentence = g_strdup_printf (get_format (found->kind), self->shown, file);
  g_ptr_array_add (self->problems, problem);
}

#define IS_OTHER_MODEL 1 /* the rank up to which a problem makes the others no matter */

/* Equal ranks keep their order. */
static GPtrArray *
list (const char *dir,
      const char *shown,
      const char *only,
      gboolean    headers)
{
  g_autoptr (GPtrArray) problems = g_ptr_array_new_with_free_func ((GDestroyNotify) problem_free);
  Listing listing = { problems, shown, only };
  GPtrArray *sentences = g_ptr_array_new_with_free_func (g_free);
  struct vl2_folder folder;

  vl2_folder_look (dir, headers, &folder, on_problem, &listing);
  for (guint rank = 0; rank < G_MAXUINT8 && sentences->len < problems->len; rank++)
    {
      if (rank == IS_OTHER_MODEL + 1 && sentences->len > 0)
        break;
      for (guint i = 0; i < problems->len; i++)
        {
          Problem *problem = g_ptr_array_index (problems, i);

          if (problem->rank == rank)
            g_ptr_array_add (sentences, g_steal_pointer (&problem->sentence));
        }
    }
  return sentences;
}

GPtrArray *
sl_model_folder_list_problems (const char *dir,
                               const char *shown)
{
  return list (dir, shown, NULL, TRUE);
}

/* Takes the sentences. */
static char *
sum_up (GPtrArray *sentences)
{
  g_autoptr (GPtrArray) all = sentences;

  if (all->len == 0)
    return NULL;
  if (all->len == 1)
    return g_strdup (all->pdata[0]);
  /* Translators: a sentence about what is wrong with a model's files */
  return g_strdup_printf (_("%s More is missing: “sightline-cli verify” lists it."), (char *) all->pdata[0]);
}

char *
sl_model_folder_explain (const char *dir,
                         const char *only)
{
  g_autofree char *shown = g_filename_display_name (dir);

  return sum_up (list (dir, shown, only, TRUE));
}

/* ------------------------------------------------------------------------------------------------ inspect */

gboolean
sl_model_folder_is_demo (const char *dir)
{
  g_autofree char *marker = g_build_filename (dir, "demo.json", NULL);

  return g_file_test (marker, G_FILE_TEST_IS_REGULAR);
}

SlModelFolder *
sl_model_folder_inspect (const char  *dir,
                         GError     **error)
{
  g_autofree char *shown = g_filename_display_name (dir);
  g_autofree char *problem = sum_up (list (dir, shown, NULL, FALSE));
  g_autofree char *size = NULL;
  struct vl2_contents contents = { 0 };
  vl2_error cause = { 0 };
  struct vl2_folder folder;
  SlModelFolder *self;

  vl2_folder_look (dir, false, &folder, NULL, NULL);
  if (folder.model_type[0] != '\0' && strcmp (folder.model_type, "deepseek_vl_v2") != 0)
    {
      g_autofree char *type = g_utf8_make_valid (folder.model_type, -1);

      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, _("“%s” holds a model of another kind (%s), not DeepSeek-VL2"), shown,
                   type);
      return NULL;
    }
  if (problem != NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, problem);
      return NULL;
    }
  size = g_format_size (folder.weight_bytes);
  self = g_new0 (SlModelFolder, 1);
  self->dir = g_strdup (dir);
  self->name = g_strdup (folder.name);
  self->weight_bytes = folder.weight_bytes;
  self->is_demo = sl_model_folder_is_demo (dir);
  if (vl2_contents_read (folder.dir, &contents, &cause) == VL2_OK && contents.quantisation[0] != '\0')
    self->quantisation = g_strdup (contents.quantisation);
  if (self->is_demo && self->quantisation == NULL)
    self->description = g_strdup_printf (_("The bundled demo model (%s): it knows shapes and short words"), size);
  else if (self->quantisation != NULL)
    /* Translators: a format, "int8", and a size */
    self->description = g_strdup_printf (_("A DeepSeek-VL2 model in %s with %s of weights"), self->quantisation, size);
  else
    self->description = g_strdup_printf (_("A DeepSeek-VL2 model with %s of weights"), size);
  return self;
}

void
sl_model_folder_free (SlModelFolder *self)
{
  if (self == NULL)
    return;
  g_free (self->dir);
  g_free (self->name);
  g_free (self->quantisation);
  g_free (self->description);
  g_free (self);
}
