/* SPDX-License-Identifier: MIT
 *
 * Preloaded into the program by window tests: where a widget is, told in the pixels of its window. GTK since 4.10 adds up the places
 * that it has in its parents and forgets what the parents' styles keep free around their contents, so that a picture in an answer is
 * told 12 pixels beside itself. Answers the accessibility bus's question for it rightly; knows nothing of Sightline. Main thread.
 */
#include <dlfcn.h>
#include <gtk/gtk.h>

static GVariant *
get_extents (GtkATContext *context)
{
  GtkAccessible *accessible = gtk_at_context_get_accessible (context);
  GtkNative *native = GTK_IS_WIDGET (accessible) ? gtk_widget_get_native (GTK_WIDGET (accessible)) : NULL;
  graphene_rect_t bounds;
  double x, y;

  if (native == NULL || !gtk_widget_compute_bounds (GTK_WIDGET (accessible), GTK_WIDGET (native), &bounds))
    return NULL;
  gtk_native_get_surface_transform (native, &x, &y);
  for (GdkSurface *surface = gtk_native_get_surface (native); GDK_IS_POPUP (surface); surface = gdk_popup_get_parent (GDK_POPUP (surface)))
    {
      x += gdk_popup_get_position_x (GDK_POPUP (surface));
      y += gdk_popup_get_position_y (GDK_POPUP (surface));
    }
  return g_variant_new ("((iiii))", (int) (bounds.origin.x + x), (int) (bounds.origin.y + y), (int) bounds.size.width,
                        (int) bounds.size.height);
}

/* GTK's answers to the bus pass through here. */
G_MODULE_EXPORT void
g_dbus_method_invocation_return_value (GDBusMethodInvocation *invocation,
                                       GVariant              *parameters)
{
  static void (*answer) (GDBusMethodInvocation *, GVariant *);
  GVariant *extents = NULL;

  if (answer == NULL)
    *(void **) &answer = dlsym (RTLD_NEXT, "g_dbus_method_invocation_return_value");
  if (g_strcmp0 (g_dbus_method_invocation_get_interface_name (invocation), "org.a11y.atspi.Component") == 0 &&
      g_str_equal (g_dbus_method_invocation_get_method_name (invocation), "GetExtents"))
    extents = get_extents (g_dbus_method_invocation_get_user_data (invocation));
  if (extents != NULL && parameters != NULL)
    g_variant_unref (g_variant_ref_sink (parameters));
  answer (invocation, extents != NULL ? extents : parameters);
}
