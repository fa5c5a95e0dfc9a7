/* SPDX-License-Identifier: MIT
 *
 * See sl-server-switch.h. A server that was switched off is kept until its last answer is out; another may listen meanwhile.
 */
#include "app/server/sl-server-switch.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include <glib/gi18n-lib.h>

#include "app/system/sl-secret.h"

#define HOST "127.0.0.1"
#define KEY_BYTES 16
#define AT_ONCE 4 /* each takes the memory of a conversation */

struct _SlServerSwitch
{
  GObject parent_instance;

  SlEngine *engine;
  SlServer *server;   /* listens; NULL: none does */
  GPtrArray *leaving; /* of SlServer: their last answers */
  GCancellable *asking; /* the keyring; NULL: it is not being asked */
  char *key, *problem;
  guint port;
  gboolean on, kept;
};

enum { PROP_0, PROP_ON, PROP_PORT, PROP_ADDRESS, PROP_KEY, PROP_KEY_IS_KEPT, PROP_STATUS, PROP_FAILED, N_PROPS };

static GParamSpec *properties[N_PROPS];

G_DEFINE_FINAL_TYPE (SlServerSwitch, sl_server_switch, G_TYPE_OBJECT)

/* ------------------------------------------------------------------------------------------------ what is seen */

static char *
dup_status (SlServerSwitch *self)
{
  guint n = self->server != NULL ? sl_server_get_n_active (self->server) : 0;

  for (guint i = 0; i < self->leaving->len; i++)
    n += sl_server_get_n_active (g_ptr_array_index (self->leaving, i));
  if (self->problem != NULL)
    return g_strdup (self->problem);
  if (!self->on)
    return g_strdup (n > 0 ? _("The last answers are being made") : "");
  if (self->server == NULL)
    return g_strdup (_("Starting"));
  if (sl_engine_get_state (self->engine) != SL_ENGINE_READY && !sl_engine_is_asleep (self->engine))
    return g_strdup (_("No model is loaded: questions are refused until one is"));
  if (n == 0)
    return g_strdup (_("Waiting for questions"));
  return g_strdup_printf (ngettext ("%u answer is being made", "%u answers are being made", n), n);
}

static void
sl_server_switch_get_property (GObject    *object,
                               guint       id,
                               GValue     *value,
                               GParamSpec *pspec)
{
  SlServerSwitch *self = SL_SERVER_SWITCH (object);

  switch (id)
    {
    case PROP_ON:
      g_value_set_boolean (value, self->on);
      break;
    case PROP_PORT:
      g_value_set_uint (value, self->port);
      break;
    case PROP_ADDRESS:
      g_value_take_string (value, self->server != NULL ? sl_server_dup_address (self->server) : NULL);
      break;
    case PROP_KEY:
      g_value_set_string (value, self->key);
      break;
    case PROP_KEY_IS_KEPT:
      g_value_set_boolean (value, self->kept);
      break;
    case PROP_STATUS:
      g_value_take_string (value, dup_status (self));
      break;
    case PROP_FAILED:
      g_value_set_boolean (value, self->problem != NULL);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
notify_status (SlServerSwitch *self)
{
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_STATUS]);
}

static void
notify_all (SlServerSwitch *self)
{
  g_object_freeze_notify (G_OBJECT (self));
  for (guint id = PROP_ADDRESS; id < N_PROPS; id++)
    g_object_notify_by_pspec (G_OBJECT (self), properties[id]);
  g_object_thaw_notify (G_OBJECT (self));
}

/* ------------------------------------------------------------------------------------------------ the server */

/* Servers whose last answer is out go. Where nobody is answered any more, what was read for them is given back. */
static gboolean
on_quiet (gpointer data)
{
  SlServerSwitch *self = data;

  for (guint i = self->leaving->len; i > 0; i--)
    if (sl_server_get_n_active (g_ptr_array_index (self->leaving, i - 1)) == 0)
      g_ptr_array_remove_index_fast (self->leaving, i - 1);
  if (self->engine != NULL && self->server == NULL && self->leaving->len == 0)
    sl_engine_set_guest_limits (self->engine, 0, 0);
  notify_status (self);
  return G_SOURCE_REMOVE;
}

/* libsoup is in the middle of something: later. */
static void
on_drained (SlServerSwitch *self)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, on_quiet, g_object_ref (self), g_object_unref);
  g_source_attach (source, g_main_context_get_thread_default ());
}

static void
stop (SlServerSwitch *self)
{
  SlServer *server = g_steal_pointer (&self->server);

  g_clear_pointer (&self->problem, g_free);
  if (server == NULL)
    return;
  g_ptr_array_add (self->leaving, server);
  sl_server_drain (server);
}

static void
start (SlServerSwitch *self)
{
  const char *const keys[] = { self->key, NULL };
  SlServerOptions options = sl_server_default_options;
  g_autoptr (SlServer) server = sl_server_new (self->engine);
  g_autoptr (GError) error = NULL;

  options.host = HOST;
  options.port = (guint16) self->port;
  options.keys = keys;
  options.at_once = AT_ONCE;
  g_clear_pointer (&self->problem, g_free);
  if (sl_server_start (server, &options, &error))
    {
      g_signal_connect_object (server, "drained", G_CALLBACK (on_drained), self, G_CONNECT_SWAPPED);
      g_signal_connect_object (server, "changed", G_CALLBACK (notify_status), self, G_CONNECT_SWAPPED);
      self->server = g_steal_pointer (&server);
    }
  else
    self->problem = g_strdup (error->message);
  notify_all (self);
}

/* ------------------------------------------------------------------------------------------------ the key */

typedef struct
{
  char *key; /* NULL: of the keyring, or else a new one */
  gboolean kept;
} Key;

static void
key_free (gpointer data)
{
  Key *self = data;

  g_free (self->key);
  g_free (self);
}

static char *
make_key (GError **error)
{
  GString *key = g_string_new ("sightline-");
  guint8 bytes[KEY_BYTES];

  if (getrandom (bytes, sizeof bytes, 0) != sizeof bytes)
    {
      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), _("No key can be made: %s"), g_strerror (errno));
      return g_string_free (key, TRUE);
    }
  for (gsize i = 0; i < sizeof bytes; i++)
    g_string_append_printf (key, "%02x", bytes[i]);
  return g_string_free (key, FALSE);
}

/* A worker's thread. task data: whether a new one is wanted. Without a keyring the key is good for this run. */
static void
find_key (GTask        *task,
          gpointer      source,
          gpointer      renew,
          GCancellable *cancellable)
{
  Key *found = g_new0 (Key, 1);
  char *kept = renew == NULL ? sl_secret_lookup (SL_SECRET_SERVER, HOST, cancellable, NULL) : NULL;
  GError *error = NULL;

  found->kept = kept != NULL && strlen (kept) >= SL_SERVER_LEAST_KEY;
  found->key = found->kept ? g_strdup (kept) : make_key (&error);
  if (kept != NULL)
    sl_secret_free (kept);
  if (found->key != NULL && !found->kept)
    found->kept = sl_secret_store (SL_SECRET_SERVER, HOST, _("Key of Sightline's own server"), found->key, cancellable, NULL);
  if (found->key != NULL)
    g_task_return_pointer (task, found, key_free);
  else
    {
      key_free (found);
      g_task_return_error (task, error);
    }
}

static void
on_key (GObject      *source,
        GAsyncResult *result,
        gpointer      unused)
{
  SlServerSwitch *self = SL_SERVER_SWITCH (source);
  g_autoptr (GError) error = NULL;
  Key *found = g_task_propagate_pointer (G_TASK (result), &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) /* another one was asked for, or it is closed */
    return;
  g_clear_object (&self->asking);
  if (found != NULL)
    {
      g_free (self->key);
      self->key = g_steal_pointer (&found->key);
      self->kept = found->kept;
      key_free (found);
    }
  else
    self->problem = g_strdup (error->message);
  if (found != NULL && self->on)
    start (self);
  else
    notify_all (self);
}

static void
ask_for_key (SlServerSwitch *self,
             gboolean        renew)
{
  g_autoptr (GTask) task = NULL;

  if (self->asking != NULL)
    g_cancellable_cancel (self->asking);
  g_clear_object (&self->asking);
  self->asking = g_cancellable_new ();
  task = g_task_new (self, self->asking, on_key, NULL);
  g_task_set_task_data (task, GINT_TO_POINTER (renew), NULL);
  g_task_run_in_thread (task, find_key);
}

/* ------------------------------------------------------------------------------------------------ what is chosen */

void
sl_server_switch_set_on (SlServerSwitch *self,
                         gboolean        on)
{
  g_return_if_fail (SL_IS_SERVER_SWITCH (self));

  if (self->on == !!on)
    return;
  self->on = !!on;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_ON]);
  if (!self->on)
    stop (self);
  else if (self->key != NULL)
    start (self);
  else if (self->asking == NULL)
    ask_for_key (self, FALSE);
  notify_all (self);
}

static void
set_port (SlServerSwitch *self,
          guint           port)
{
  if (port == self->port)
    return;
  self->port = port;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_PORT]);
  if (!self->on || self->key == NULL)
    return;
  stop (self);
  start (self);
}

void
sl_server_switch_renew_key (SlServerSwitch *self)
{
  g_return_if_fail (SL_IS_SERVER_SWITCH (self));

  stop (self);
  g_clear_pointer (&self->key, g_free);
  ask_for_key (self, TRUE);
  notify_all (self);
}

void
sl_server_switch_close (SlServerSwitch *self)
{
  g_return_if_fail (SL_IS_SERVER_SWITCH (self));

  if (self->asking != NULL)
    g_cancellable_cancel (self->asking);
  g_clear_object (&self->asking);
  stop (self);
  for (guint i = 0; i < self->leaving->len; i++)
    {
      SlServer *server = g_ptr_array_index (self->leaving, i);

      g_signal_handlers_disconnect_by_data (server, self);
      sl_server_stop (server);
    }
  g_ptr_array_set_size (self->leaving, 0);
  self->on = FALSE;
}

/* ------------------------------------------------------------------------------------------------ object */

static void
sl_server_switch_set_property (GObject      *object,
                               guint         id,
                               const GValue *value,
                               GParamSpec   *pspec)
{
  SlServerSwitch *self = SL_SERVER_SWITCH (object);

  if (id == PROP_ON)
    sl_server_switch_set_on (self, g_value_get_boolean (value));
  else if (id == PROP_PORT)
    set_port (self, g_value_get_uint (value));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
sl_server_switch_dispose (GObject *object)
{
  SlServerSwitch *self = SL_SERVER_SWITCH (object);

  sl_server_switch_close (self);
  g_clear_object (&self->engine);
  G_OBJECT_CLASS (sl_server_switch_parent_class)->dispose (object);
}

static void
sl_server_switch_finalize (GObject *object)
{
  SlServerSwitch *self = SL_SERVER_SWITCH (object);

  g_ptr_array_unref (self->leaving);
  g_free (self->key);
  g_free (self->problem);
  G_OBJECT_CLASS (sl_server_switch_parent_class)->finalize (object);
}

static void
sl_server_switch_class_init (SlServerSwitchClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags both = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;
  const GParamFlags read = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = sl_server_switch_get_property;
  object_class->set_property = sl_server_switch_set_property;
  object_class->dispose = sl_server_switch_dispose;
  object_class->finalize = sl_server_switch_finalize;
  properties[PROP_ON] = g_param_spec_boolean ("on", NULL, NULL, FALSE, both);
  properties[PROP_PORT] = g_param_spec_uint ("port", NULL, NULL, 0, 65535, 8080, both);
  properties[PROP_ADDRESS] = g_param_spec_string ("address", NULL, NULL, NULL, read);
  properties[PROP_KEY] = g_param_spec_string ("key", NULL, NULL, NULL, read);
  properties[PROP_KEY_IS_KEPT] = g_param_spec_boolean ("key-is-kept", NULL, NULL, FALSE, read);
  properties[PROP_STATUS] = g_param_spec_string ("status", NULL, NULL, "", read);
  properties[PROP_FAILED] = g_param_spec_boolean ("failed", NULL, NULL, FALSE, read);
  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
sl_server_switch_init (SlServerSwitch *self)
{
  self->leaving = g_ptr_array_new_with_free_func (g_object_unref);
  self->port = 8080;
}

SlServerSwitch *
sl_server_switch_new (SlEngine *engine)
{
  SlServerSwitch *self = g_object_new (SL_TYPE_SERVER_SWITCH, NULL);

  self->engine = g_object_ref (engine);
  g_signal_connect_object (engine, "notify::state", G_CALLBACK (notify_status), self, G_CONNECT_SWAPPED);
  return self;
}
