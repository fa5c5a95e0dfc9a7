/* SPDX-License-Identifier: MIT
 *
 * Answers the shell's searches from the history. A result's id is the conversation's; what was found is remembered until the
 * next search, because the shell asks for titles in a call of its own.
 */
#include "app/history/sl-search-provider.h"

#include <glib/gi18n-lib.h>

#define INTERFACE "org.gnome.Shell.SearchProvider2"
#define MAX_RESULTS 20

struct _SlSearchProvider
{
  GObject parent_instance;

  GApplication *application; /* not owned */
  SlHistory *history;
  GDBusConnection *connection;
  guint registration;
  GHashTable *found; /* id as text → SlSummary */
};

G_DEFINE_FINAL_TYPE (SlSearchProvider, sl_search_provider, G_TYPE_OBJECT)

static const char interface_xml[] = "<node><interface name='" INTERFACE "'>"
                                    "<method name='GetInitialResultSet'><arg type='as' direction='in'/>"
                                    "<arg type='as' direction='out'/></method>"
                                    "<method name='GetSubsearchResultSet'><arg type='as' direction='in'/>"
                                    "<arg type='as' direction='in'/><arg type='as' direction='out'/></method>"
                                    "<method name='GetResultMetas'><arg type='as' direction='in'/>"
                                    "<arg type='aa{sv}' direction='out'/></method>"
                                    "<method name='ActivateResult'><arg type='s' direction='in'/><arg type='as' direction='in'/>"
                                    "<arg type='u' direction='in'/></method>"
                                    "<method name='LaunchSearch'><arg type='as' direction='in'/><arg type='u' direction='in'/></method>"
                                    "</interface></node>";

/* ------------------------------------------------------------------------------------------------ searching */

typedef struct
{
  SlSearchProvider *provider;
  GDBusMethodInvocation *invocation; /* taken by its answer */
} Search;

static void
on_found (GObject      *source,
          GAsyncResult *result,
          gpointer      user_data)
{
  g_autofree Search *search = user_data;
  g_autoptr (SlSearchProvider) self = search->provider;
  g_autoptr (GError) error = NULL;
  g_autoptr (GListModel) hits = sl_history_search_finish (SL_HISTORY (source), result, &error);
  GVariantBuilder ids;

  g_variant_builder_init (&ids, G_VARIANT_TYPE ("as"));
  g_hash_table_remove_all (self->found);
  for (guint i = 0; hits != NULL && i < MIN (g_list_model_get_n_items (hits), MAX_RESULTS); i++)
    {
      SlSummary *hit = g_list_model_get_item (hits, i);
      char *id = g_strdup_printf ("%" G_GINT64_FORMAT, sl_summary_get_id (hit));

      g_variant_builder_add (&ids, "s", id);
      g_hash_table_replace (self->found, id, hit);
    }
  g_dbus_method_invocation_return_value (search->invocation, g_variant_new ("(as)", &ids));
  g_application_release (self->application);
}

static void
search (SlSearchProvider      *self,
        GVariant              *terms,
        GDBusMethodInvocation *invocation)
{
  g_autofree const char **words = g_variant_get_strv (terms, NULL);
  g_autofree char *query = g_strjoinv (" ", (char **) words);
  Search *call;

  if (self->history == NULL || *g_strstrip (query) == '\0')
    {
      g_dbus_method_invocation_return_value (invocation, g_variant_new ("(as)", NULL));
      return;
    }
  call = g_new (Search, 1);
  call->provider = g_object_ref (self);
  call->invocation = invocation;
  g_application_hold (self->application);
  sl_history_search_async (self->history, query, NULL, on_found, call);
}

/* ------------------------------------------------------------------------------------------------ results */

static void
add_meta (GVariantBuilder *metas,
          const char      *id,
          SlSummary       *hit)
{
  const char *title = sl_summary_get_title (hit);

  g_variant_builder_open (metas, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (metas, "{sv}", "id", g_variant_new_string (id));
  g_variant_builder_add (metas, "{sv}", "name", g_variant_new_string (*title != '\0' ? title : _("Untitled conversation")));
  g_variant_builder_add (metas, "{sv}", "description", g_variant_new_string (sl_summary_get_snippet (hit)));
  g_variant_builder_close (metas);
}

static GVariant *
get_metas (SlSearchProvider *self,
           GVariant         *ids)
{
  g_autofree const char **names = g_variant_get_strv (ids, NULL);
  GVariantBuilder metas;

  g_variant_builder_init (&metas, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = 0; names[i] != NULL; i++)
    {
      SlSummary *hit = g_hash_table_lookup (self->found, names[i]);

      if (hit != NULL)
        add_meta (&metas, names[i], hit);
    }
  return g_variant_new ("(aa{sv})", &metas);
}

static void
activate (SlSearchProvider *self,
          const char       *id)
{
  gint64 conversation;

  if (g_ascii_string_to_signed (id, 10, 1, G_MAXINT64, &conversation, NULL))
    g_action_group_activate_action (G_ACTION_GROUP (self->application), "open-conversation", g_variant_new_int64 (conversation));
}

static void
launch_search (SlSearchProvider *self,
               GVariant         *terms)
{
  g_autofree const char **words = g_variant_get_strv (terms, NULL);
  g_autofree char *query = g_strjoinv (" ", (char **) words);

  g_action_group_activate_action (G_ACTION_GROUP (self->application), "search", g_variant_new_string (query));
}

static void
on_method_call (GDBusConnection       *connection,
                const char            *sender,
                const char            *path,
                const char            *interface,
                const char            *method,
                GVariant              *parameters,
                GDBusMethodInvocation *invocation,
                gpointer               user_data)
{
  SlSearchProvider *self = user_data;
  g_autoptr (GVariant) first = g_variant_get_child_value (parameters, 0);

  if (g_str_equal (method, "GetInitialResultSet"))
    search (self, first, invocation);
  else if (g_str_equal (method, "GetSubsearchResultSet"))
    {
      g_autoptr (GVariant) terms = g_variant_get_child_value (parameters, 1);

      search (self, terms, invocation);
    }
  else if (g_str_equal (method, "GetResultMetas"))
    g_dbus_method_invocation_return_value (invocation, get_metas (self, first));
  else
    {
      if (g_str_equal (method, "ActivateResult"))
        activate (self, g_variant_get_string (first, NULL));
      else
        launch_search (self, first);
      g_dbus_method_invocation_return_value (invocation, NULL);
    }
}

/* ------------------------------------------------------------------------------------------------ object */

static void
sl_search_provider_finalize (GObject *object)
{
  SlSearchProvider *self = SL_SEARCH_PROVIDER (object);

  sl_search_provider_unexport (self);
  g_clear_object (&self->history);
  g_hash_table_unref (self->found);
  G_OBJECT_CLASS (sl_search_provider_parent_class)->finalize (object);
}

static void
sl_search_provider_class_init (SlSearchProviderClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = sl_search_provider_finalize;
}

static void
sl_search_provider_init (SlSearchProvider *self)
{
  self->found = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_object_unref);
}

SlSearchProvider *
sl_search_provider_new (GApplication *application)
{
  SlSearchProvider *self = g_object_new (SL_TYPE_SEARCH_PROVIDER, NULL);

  self->application = application;
  return self;
}

void
sl_search_provider_set_history (SlSearchProvider *self,
                                SlHistory        *history)
{
  g_return_if_fail (SL_IS_SEARCH_PROVIDER (self));

  g_set_object (&self->history, history);
}

gboolean
sl_search_provider_export (SlSearchProvider  *self,
                           GDBusConnection   *connection,
                           const char        *path,
                           GError           **error)
{
  static const GDBusInterfaceVTable vtable = { .method_call = on_method_call };
  g_autoptr (GDBusNodeInfo) node = NULL;

  g_return_val_if_fail (SL_IS_SEARCH_PROVIDER (self), FALSE);
  g_return_val_if_fail (self->registration == 0, FALSE);

  node = g_dbus_node_info_new_for_xml (interface_xml, error);
  if (node == NULL)
    return FALSE;
  self->registration = g_dbus_connection_register_object (connection, path, node->interfaces[0], &vtable, self, NULL, error);
  if (self->registration == 0)
    return FALSE;
  g_set_object (&self->connection, connection);
  return TRUE;
}

void
sl_search_provider_unexport (SlSearchProvider *self)
{
  g_return_if_fail (SL_IS_SEARCH_PROVIDER (self));

  if (self->registration != 0)
    g_dbus_connection_unregister_object (self->connection, self->registration);
  self->registration = 0;
  g_clear_object (&self->connection);
}
