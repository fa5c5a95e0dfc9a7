/* SPDX-License-Identifier: MIT
 *
 * The dialog that asks for a name. It outlives nobody: what it was asked for is released with it.
 */
#include "ui/sl-rename.h"

#include <adwaita.h>
#include <glib/gi18n.h>

#define SL_TYPE_RENAME (sl_rename_get_type ())

G_DECLARE_FINAL_TYPE (SlRename, sl_rename, SL, RENAME, AdwMessageDialog)

struct _SlRename
{
  AdwMessageDialog parent_instance;

  GtkEditable *entry;
  SlRenamed renamed;
  gpointer data;
  GDestroyNotify destroy;
};

G_DEFINE_FINAL_TYPE (SlRename, sl_rename, ADW_TYPE_MESSAGE_DIALOG)

static void
sl_rename_response (AdwMessageDialog *dialog,
                    const char       *response)
{
  SlRename *self = SL_RENAME (dialog);
  GtkWindow *parent = gtk_window_get_transient_for (GTK_WINDOW (dialog));

  if (g_str_equal (response, "rename") && parent != NULL)
    self->renamed (parent, gtk_editable_get_text (self->entry), self->data);
}

static void
sl_rename_finalize (GObject *object)
{
  SlRename *self = SL_RENAME (object);

  if (self->destroy != NULL)
    self->destroy (self->data);
  G_OBJECT_CLASS (sl_rename_parent_class)->finalize (object);
}

static void
sl_rename_class_init (SlRenameClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = sl_rename_finalize;
  ADW_MESSAGE_DIALOG_CLASS (klass)->response = sl_rename_response;
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-rename.ui");
  gtk_widget_class_bind_template_child (widget_class, SlRename, entry);
}

static void
sl_rename_init (SlRename *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

void
sl_rename_ask (GtkWindow      *parent,
               const char     *heading,
               const char     *what,
               const char     *name,
               SlRenamed       renamed,
               gpointer        data,
               GDestroyNotify  destroy)
{
  SlRename *self = g_object_new (SL_TYPE_RENAME, "transient-for", parent, "heading", heading, NULL);

  self->renamed = renamed;
  self->data = data;
  self->destroy = destroy;
  gtk_editable_set_text (self->entry, name);
  if (*name == '\0')
    adw_message_dialog_set_response_label (ADW_MESSAGE_DIALOG (self), "rename", _("_Save"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->entry), GTK_ACCESSIBLE_PROPERTY_LABEL, what, -1);
  gtk_window_present (GTK_WINDOW (self));
}
