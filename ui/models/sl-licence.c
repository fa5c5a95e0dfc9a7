/* SPDX-License-Identifier: MIT
 *
 * Shows a model's licence and remembers what was accepted. The text is the file that came with the weights; where there is none,
 * a summary and the address.
 */
#include "ui/models/sl-licence.h"

#include "app/inference/sl-model-folder.h"
#include "app/system/sl-places.h"

#include <adwaita.h>
#include <glib/gi18n.h>

#define KEY      "accepted-licences"
#define MAX_TEXT (256 * 1024)

/* The licence in words of our own, for folders without one and before there is a folder. */
static const char summary[] =
  N_("The weights of DeepSeek-VL2 are published under the DeepSeek Model License, to be "
     "found at https://github.com/deepseek-ai/DeepSeek-VL2/blob/main/LICENSE-MODEL. Please read it there.\n\n"
     "In short: commercial use is allowed; the weights may not be used for military purposes, to harm people or minors, to "
     "deceive, to discriminate, or against the law; whoever passes the weights on has to pass on the licence with these "
     "restrictions. The licence counts, not this summary.");

/* A worker's thread: the folder may be on a disk that is asleep or far away. */
static char *
dup_text (const char *dir)
{
  g_autofree char *files = sl_model_folder_resolve (dir);
  static const char *const names[] = { "LICENSE-MODEL", "LICENSE-MODEL.txt", "LICENSE", "LICENSE.txt", "LICENSE.md" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = g_build_filename (files, names[i], NULL);
      char *text = NULL;
      gsize length;

      if (!g_file_test (path, G_FILE_TEST_IS_REGULAR) || !g_file_get_contents (path, &text, &length, NULL))
        continue;
      if (length > 0 && length <= MAX_TEXT && g_utf8_validate (text, length, NULL))
        return text;
      g_free (text);
    }
  return g_strdup (_(summary));
}

/* --- the dialog ------------------------------------------------------------ */

#define SL_TYPE_LICENCE_DIALOG (sl_licence_dialog_get_type ())

G_DECLARE_FINAL_TYPE (SlLicenceDialog, sl_licence_dialog, SL, LICENCE_DIALOG, AdwMessageDialog)

struct _SlLicenceDialog
{
  AdwMessageDialog parent_instance;

  GtkLabel *text;
};

G_DEFINE_FINAL_TYPE (SlLicenceDialog, sl_licence_dialog, ADW_TYPE_MESSAGE_DIALOG)

static void
sl_licence_dialog_class_init (SlLicenceDialogClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-licence.ui");
  gtk_widget_class_bind_template_child (widget_class, SlLicenceDialog, text);
}

static void
sl_licence_dialog_init (SlLicenceDialog *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

static GtkWidget *
new_dialog (GtkWindow  *parent,
            const char *name,
            const char *text)
{
  SlLicenceDialog *self = g_object_new (SL_TYPE_LICENCE_DIALOG, "transient-for", parent, NULL);

  /* Translators: name of a model */
  adw_message_dialog_format_body (ADW_MESSAGE_DIALOG (self), _("“%s” can be used under these conditions:"), name);
  gtk_label_set_label (self->text, text);
  return GTK_WIDGET (self);
}

/* --- reading --------------------------------------------------------------- */

/* What to do when a licence is accepted. */
typedef struct
{
  char *what; /* folder or repository */
  char *hash; /* of the text that is accepted */
  SlLicenceAccepted accepted;
  gpointer data;
  GDestroyNotify destroy;
} Question;

static void
question_free (Question *self)
{
  if (self->destroy != NULL)
    self->destroy (self->data);
  g_free (self->what);
  g_free (self->hash);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Question, question_free)

static Question *
question_new (const char        *what,
              SlLicenceAccepted  accepted,
              gpointer           data,
              GDestroyNotify     destroy)
{
  Question *self = g_new (Question, 1);

  *self = (Question) { .what = g_strdup (what), .accepted = accepted, .data = data, .destroy = destroy };
  return self;
}

typedef struct
{
  char *dir;
  Question *question; /* NULL: only to be shown */
} Reading;

static void
reading_free (Reading *self)
{
  g_clear_pointer (&self->question, question_free);
  g_free (self->dir);
  g_free (self);
}

/* Nothing where there is nothing to accept. */
static void
read_text (GTask        *task,
           gpointer      source,
           gpointer      data,
           GCancellable *cancellable)
{
  const Reading *reading = data;

  if (reading->question != NULL && sl_model_folder_is_demo (reading->dir))
    g_task_return_pointer (task, NULL, NULL);
  else
    g_task_return_pointer (task, dup_text (reading->dir), g_free);
}

/* Takes the question. The window may be gone when the text is there: the reading keeps it. */
static void
start_reading (GtkWindow           *parent,
               const char          *dir,
               Question            *question,
               GAsyncReadyCallback  callback)
{
  g_autoptr (GTask) task = g_task_new (NULL, NULL, callback, g_object_ref (parent));
  Reading *reading = g_new (Reading, 1);

  *reading = (Reading) { .dir = g_strdup (dir), .question = question };
  g_task_set_source_tag (task, start_reading);
  g_task_set_task_data (task, reading, (GDestroyNotify) reading_free);
  g_task_run_in_thread (task, read_text);
}

static gboolean
is_closed (GtkWindow *window)
{
  return !gtk_widget_get_visible (GTK_WIDGET (window));
}

static void
on_text_to_show (GObject      *source,
                 GAsyncResult *result,
                 gpointer      data)
{
  g_autoptr (GtkWindow) parent = data;
  const Reading *reading = g_task_get_task_data (G_TASK (result));
  g_autofree char *text = g_task_propagate_pointer (G_TASK (result), NULL);
  g_autofree char *model = sl_model_folder_dup_name (reading->dir);
  g_autofree char *name = g_filename_display_name (model);
  GtkWidget *dialog;

  if (is_closed (parent))
    return;
  dialog = new_dialog (parent, name, text);
  adw_message_dialog_add_response (ADW_MESSAGE_DIALOG (dialog), "close", _("_Close"));
  gtk_window_present (GTK_WINDOW (dialog));
}

void
sl_licence_show (GtkWindow  *parent,
                 const char *dir)
{
  start_reading (parent, dir, NULL, on_text_to_show);
}

/* --- accepting ------------------------------------------------------------- */

static void
close_question (gpointer  data,
                GClosure *closure)
{
  question_free (data);
}

static gboolean
is_accepted (const char *hash)
{
  g_autoptr (GSettings) settings = sl_places_open_settings ();
  g_auto (GStrv) hashes = settings ? g_settings_get_strv (settings, KEY) : NULL;

  return hashes != NULL && g_strv_contains ((const char *const *) hashes, hash);
}

static void
remember (const char *hash)
{
  g_autoptr (GSettings) settings = sl_places_open_settings ();
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_auto (GStrv) before = NULL;
  g_auto (GStrv) after = NULL;

  if (settings == NULL)
    return;
  before = g_settings_get_strv (settings, KEY);
  g_strv_builder_addv (builder, (const char **) before);
  g_strv_builder_add (builder, hash);
  after = g_strv_builder_end (builder);
  g_settings_set_strv (settings, KEY, (const char *const *) after);
}

static void
on_response (AdwMessageDialog *dialog,
             const char       *response,
             Question         *question)
{
  if (!g_str_equal (response, "accept"))
    return;
  remember (question->hash);
  question->accepted (question->what, question->data);
}

/* Takes the question. */
static void
ask (GtkWindow  *parent,
     const char *name,
     const char *text,
     Question   *question)
{
  g_autoptr (Question) owned = question;
  GtkWidget *dialog;

  question->hash = g_compute_checksum_for_string (G_CHECKSUM_SHA256, text, -1);
  if (is_accepted (question->hash))
    {
      question->accepted (question->what, question->data);
      return;
    }
  dialog = new_dialog (parent, name, text);
  adw_message_dialog_add_responses (ADW_MESSAGE_DIALOG (dialog), "decline", _("_Decline"), "accept",
                                    _("_Accept"), NULL);
  adw_message_dialog_set_response_appearance (ADW_MESSAGE_DIALOG (dialog), "accept",
                                              ADW_RESPONSE_SUGGESTED);
  adw_message_dialog_set_close_response (ADW_MESSAGE_DIALOG (dialog), "decline");
  g_signal_connect_data (dialog, "response", G_CALLBACK (on_response), g_steal_pointer (&owned), close_question, 0);
  gtk_window_present (GTK_WINDOW (dialog));
}

static void
on_text_to_accept (GObject      *source,
                   GAsyncResult *result,
                   gpointer      data)
{
  g_autoptr (GtkWindow) parent = data;
  Reading *reading = g_task_get_task_data (G_TASK (result));
  g_autofree char *text = g_task_propagate_pointer (G_TASK (result), NULL);
  g_autofree char *model = sl_model_folder_dup_name (reading->dir);
  g_autofree char *name = g_filename_display_name (model);

  if (is_closed (parent))
    return;
  if (text == NULL)
    reading->question->accepted (reading->dir, reading->question->data);
  else
    ask (parent, name, text, g_steal_pointer (&reading->question));
}

void
sl_licence_ask (GtkWindow         *parent,
                const char        *dir,
                SlLicenceAccepted  accepted,
                gpointer           data,
                GDestroyNotify     destroy)
{
  g_autoptr (Question) question = question_new (dir, accepted, data, destroy);

  start_reading (parent, dir, g_steal_pointer (&question), on_text_to_accept);
}

void
sl_licence_ask_repository (GtkWindow         *parent,
                           const char        *repo,
                           const char        *address,
                           gboolean           deepseek,
                           SlLicenceAccepted  accepted,
                           gpointer           data,
                           GDestroyNotify     destroy)
{
  g_autofree char *text =
    deepseek ? g_strdup (_(summary))
             : g_strdup_printf (_("The publisher's terms stand at %s. Please read them there before you go on."), address);

  ask (parent, repo, text, question_new (repo, accepted, data, destroy));
}
