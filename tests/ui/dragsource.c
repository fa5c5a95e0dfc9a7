/* SPDX-License-Identifier: MIT
 *
 * Another program from which the UI tests drop, and into which: a small window whose
 * contents can be dragged as a file list or as raw image data, or that takes such a drop.
 * Prints "ready", "prepare" and "end" so that a test knows where the drag is, and "file
 * PATH" or "texture WIDTH HEIGHT" for what was dropped. Knows nothing of Sightline.
 *
 *   dragsource files PATH…   |   dragsource texture PATH   |   dragsource target files|texture
 */
#include <gtk/gtk.h>

static char **arguments; /* mode, paths */

static void
say (const char *word)
{
  g_print ("%s\n", word);
  fflush (stdout);
}

static GdkContentProvider *
on_prepare (GtkDragSource *source,
            double         x,
            double         y,
            gpointer       data)
{
  GSList *files = NULL;
  GdkFileList *list;
  GdkContentProvider *provider;

  say ("prepare");
  if (g_str_equal (arguments[0], "texture"))
    {
      g_autoptr (GdkTexture) texture = gdk_texture_new_from_filename (arguments[1], NULL);
      return texture ? gdk_content_provider_new_typed (GDK_TYPE_TEXTURE, texture) : NULL;
    }
  for (char **path = arguments + 1; *path != NULL; path++)
    files = g_slist_append (files, g_file_new_for_commandline_arg (*path));
  list = gdk_file_list_new_from_list (files);
  provider = gdk_content_provider_new_typed (GDK_TYPE_FILE_LIST, list);
  g_boxed_free (GDK_TYPE_FILE_LIST, list);
  g_slist_free_full (files, g_object_unref);
  return provider;
}

static void
on_end (GtkDragSource *source,
        GdkDrag       *drag,
        gboolean       delete_data,
        gpointer       data)
{
  say ("end");
}

/* The source waits to hear that the drop is over, and GTK says that after on_drop. */
static gboolean
on_finished (gpointer data)
{
  gdk_display_sync (gdk_display_get_default ());
  say ("end");
  return G_SOURCE_REMOVE;
}

static gboolean
on_drop (GtkDropTarget *target,
         const GValue  *value,
         double         x,
         double         y,
         gpointer       data)
{
  if (G_VALUE_HOLDS (value, GDK_TYPE_TEXTURE))
    {
      GdkTexture *texture = g_value_get_object (value);
      g_print ("texture %d %d\n", gdk_texture_get_width (texture), gdk_texture_get_height (texture));
    }
  else
    {
      g_autoptr (GSList) files = gdk_file_list_get_files (g_value_get_boxed (value));
      for (GSList *file = files; file != NULL; file = file->next)
        g_print ("file %s\n", g_file_peek_path (file->data));
    }
  g_idle_add_full (G_PRIORITY_LOW, on_finished, NULL, NULL);
  return TRUE;
}

static GtkEventController *
make_source (void)
{
  GtkDragSource *source = gtk_drag_source_new ();

  gtk_drag_source_set_actions (source, GDK_ACTION_COPY);
  g_signal_connect (source, "prepare", G_CALLBACK (on_prepare), NULL);
  g_signal_connect (source, "drag-end", G_CALLBACK (on_end), NULL);
  return GTK_EVENT_CONTROLLER (source);
}

static GtkEventController *
make_target (GType type)
{
  GtkDropTarget *target = gtk_drop_target_new (type, GDK_ACTION_COPY);

  g_signal_connect (target, "drop", G_CALLBACK (on_drop), NULL);
  return GTK_EVENT_CONTROLLER (target);
}

static void
on_activate (GtkApplication *application)
{
  GtkWidget *window = gtk_application_window_new (application);
  GtkWidget *label = gtk_label_new ("drag me");
  gboolean takes = g_str_equal (arguments[0], "target");

  gtk_window_set_title (GTK_WINDOW (window), "SightlineDragSource");
  gtk_window_set_decorated (GTK_WINDOW (window), FALSE);
  gtk_window_set_default_size (GTK_WINDOW (window), 90, 80);
  gtk_window_set_child (GTK_WINDOW (window), label);
  if (!takes)
    gtk_widget_add_controller (window, make_source ());
  else if (g_str_equal (arguments[1], "texture"))
    gtk_widget_add_controller (window, make_target (GDK_TYPE_TEXTURE));
  else
    gtk_widget_add_controller (window, make_target (GDK_TYPE_FILE_LIST));
  g_signal_connect_swapped (window, "map", G_CALLBACK (say), (gpointer) "ready");
  gtk_window_present (GTK_WINDOW (window));
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (GtkApplication) application = NULL;

  if (argc < 3)
    {
      g_printerr ("usage: dragsource files|texture PATH… | target files|texture\n");
      return 2;
    }
  arguments = argv + 1;
  application = gtk_application_new (NULL, G_APPLICATION_NON_UNIQUE);
  g_signal_connect (application, "activate", G_CALLBACK (on_activate), NULL);
  return g_application_run (G_APPLICATION (application), 1, argv);
}
