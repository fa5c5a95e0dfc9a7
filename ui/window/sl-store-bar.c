/* SPDX-License-Identifier: MIT
 *
 * The bar about the history. What is not kept is said as long as it is not: only news can be put away.
 */
#include "ui/window/sl-store-bar.h"

#include <glib/gi18n.h>

struct _SlStoreBar
{
  GtkWidget parent_instance;

  SlStore *store;
  GtkWidget *bar;
  GtkLabel *label;
  GtkWidget *retry;
  GtkWidget *repair;
  GtkWidget *begin;
  GtkWidget *dismiss;
};

G_DEFINE_FINAL_TYPE (SlStoreBar, sl_store_bar, GTK_TYPE_WIDGET)

static char *
dup_consequence (SlStore *store)
{
  guint pending = sl_store_get_pending (store);

  if (!sl_store_get_blocked (store))
    return NULL;
  if (pending == 0)
    return g_strdup (_("Nothing can be saved now. It is tried again by itself."));
  return g_strdup_printf (ngettext ("%u change is not saved. It is tried again by itself.",
                                    "%u changes are not saved. It is tried again by itself.", pending),
                          pending);
}

static void
update (SlStoreBar *self)
{
  const char *reason = sl_store_get_error_text (self->store);
  int code = sl_store_get_error_code (self->store);
  gboolean blocked = sl_store_get_blocked (self->store);
  gboolean damaged = code == SL_STORE_ERROR_CORRUPT;
  g_autofree char *consequence = dup_consequence (self->store);
  g_autofree char *text = g_strjoin ("\n", reason != NULL ? reason : "", consequence, NULL);

  gtk_label_set_label (self->label, text);
  gtk_widget_set_visible (self->retry, blocked);
  gtk_widget_set_visible (self->repair, damaged);
  gtk_widget_set_visible (self->begin, damaged || code == SL_STORE_ERROR_NEWER);
  gtk_widget_set_visible (self->dismiss, !blocked && !damaged);
  gtk_widget_set_visible (GTK_WIDGET (self), reason != NULL && sl_store_get_state (self->store) != SL_STORE_OPENING);
}

static void
sl_store_bar_dispose (GObject *object)
{
  SlStoreBar *self = SL_STORE_BAR (object);

  g_clear_object (&self->store);
  g_clear_pointer (&self->bar, gtk_widget_unparent);
  G_OBJECT_CLASS (sl_store_bar_parent_class)->dispose (object);
}

static void
sl_store_bar_class_init (SlStoreBarClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_store_bar_dispose;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "storebar");
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-store-bar.ui");
  gtk_widget_class_bind_template_child (widget_class, SlStoreBar, bar);
  gtk_widget_class_bind_template_child (widget_class, SlStoreBar, label);
  gtk_widget_class_bind_template_child (widget_class, SlStoreBar, retry);
  gtk_widget_class_bind_template_child (widget_class, SlStoreBar, repair);
  gtk_widget_class_bind_template_child (widget_class, SlStoreBar, begin);
  gtk_widget_class_bind_template_child (widget_class, SlStoreBar, dismiss);
}

static void
sl_store_bar_init (SlStoreBar *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

void
sl_store_bar_set_store (SlStoreBar *self,
                        SlStore    *store)
{
  static const char *const properties[] = { "notify::error-text", "notify::blocked", "notify::pending", "notify::state" };

  g_return_if_fail (SL_IS_STORE_BAR (self));
  g_return_if_fail (self->store == NULL);

  self->store = g_object_ref (store);
  for (guint i = 0; i < G_N_ELEMENTS (properties); i++)
    g_signal_connect_object (store, properties[i], G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  update (self);
}
