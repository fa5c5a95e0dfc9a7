/* SPDX-License-Identifier: MIT
 *
 * Another program from which the UI tests drop: a small window whose contents can
 * be dragged as a file list or as raw image data. Prints "ready", "prepare" and
 * "end" so that a test knows where the drag is. Knows nothing of Sightline.
 *
 *   dragsource files PATH…   |   dragsource texture PATH
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

static void
on_activate (GtkApplication *application)
{
  GtkWidget *window = gtk_application_window_new (application);
  GtkWidget *label = gtk_label_new ("drag me");
  GtkDragSource *source = gtk_drag_source_new ();

  gtk_window_set_title (GTK_WINDOW (window), "SightlineDragSource");
  gtk_window_set_decorated (GTK_WINDOW (window), FALSE);
  gtk_window_set_default_size (GTK_WINDOW (window), 90, 80);
  gtk_window_set_child (GTK_WINDOW (window), label);
  gtk_drag_source_set_actions (source, GDK_ACTION_COPY);
  g_signal_connect (source, "prepare", G_CALLBACK (on_prepare), NULL);
  g_signal_connect (source, "drag-end", G_CALLBACK (on_end), NULL);
  gtk_widget_add_controller (window, GTK_EVENT_CONTROLLER (source));
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
      g_printerr ("usage: dragsource files|texture PATH…\n");
      return 2;
    }
  arguments = argv + 1;
  application = gtk_application_new (NULL, G_APPLICATION_NON_UNIQUE);
  g_signal_connect (application, "activate", G_CALLBACK (on_activate), NULL);
  return g_application_run (G_APPLICATION (application), 1, argv);
}
