/* SPDX-License-Identifier: MIT
 *
 * One box as a row, with its menu. Labels change only where their text does, so that a list of hundreds costs little when one
 * box moves.
 */
#include "ui/inspector/sl-box-row.h"

#include "ui/inspector/sl-crop-provider.h"

#include <glib/gi18n.h>

struct _SlBoxRow
{
  GtkListBoxRow parent_instance;

  SlBoxModel *model;
  SlBoxItem *item;
  GtkLabel *badge;
  GtkLabel *title;
  GtkLabel *details;
  GtkToggleButton *eye;
  GtkMenuButton *menu;
};

G_DEFINE_FINAL_TYPE (SlBoxRow, sl_box_row, GTK_TYPE_LIST_BOX_ROW)

/* --- words ----------------------------------------------------------------- */

static const char *
status_word (SlBoxItem *item)
{
  switch (sl_box_item_get_status (item))
    {
    case SL_BOX_CLAMPED:
      return _("Corrected");
    case SL_BOX_INCOMPLETE:
      return _("Incomplete");
    case SL_BOX_REJECTED:
      return sl_box_item_get_kind (item) == SL_BOX_KIND_EDITED ? _("Removed") : _("Unusable");
    case SL_BOX_OK:
    default:
      if (sl_box_item_get_kind (item) == SL_BOX_KIND_EDITED)
        return _("Edited");
      return sl_box_item_get_accepted (item) ? _("Accepted") : NULL;
    }
}

static char *
dup_place (SlBoxRow *self,
           int       paint_box)
{
  const SlPaintBox *boxes;
  gsize n_boxes;

  if (paint_box < 0)
    return g_strdup (_("Not on the picture"));
  boxes = sl_box_model_get_paint_boxes (self->model, &n_boxes);
  /* Translators: a rectangle in pixels: left, top, width, height */
  return g_strdup_printf (_("left %.0f, top %.0f, %.0f × %.0f px"), boxes[paint_box].x1,
                          boxes[paint_box].y1, boxes[paint_box].x2 - boxes[paint_box].x1,
                          boxes[paint_box].y2 - boxes[paint_box].y1);
}

static char *
dup_state (SlBoxRow *self)
{
  const char *word = status_word (self->item);
  const char *reason = sl_box_item_get_reason (self->item);

  if (word == NULL || *reason == '\0')
    return g_strdup (word);
  /* Translators: what is wrong with a box, why */
  return g_strdup_printf (_("%s: %s"), word, reason);
}

static char *
dup_details (SlBoxRow *self,
             int       paint_box)
{
  GString *details = g_string_new (NULL);
  g_autofree char *place = dup_place (self, paint_box);
  g_autofree char *state = dup_state (self);
  double overlap = sl_box_item_get_overlap (self->item, NULL);

  g_string_append (details, place);
  if (overlap >= 0)
    /* Translators: how much a box and the true one can be expected to have in common */
    g_string_append_printf (details, _(" · expected overlap %.0f %%"), overlap * 100);
  if (state != NULL)
    g_string_append_printf (details, " · %s", state);
  return g_string_free (details, FALSE);
}

/* How far each side may be off, in pixels of the picture; NULL where the model did not tell. */
static char *
dup_spread (SlBoxRow *self,
            int       paint_box)
{
  gsize n_boxes;
  const SlPaintBox *boxes = sl_box_model_get_paint_boxes (self->model, &n_boxes);
  double spread[4], x, y;
  int coords[4];

  if (paint_box < 0 || sl_box_item_get_overlap (self->item, spread) < 0 || !sl_box_item_get_coords (self->item, coords)
      || coords[2] <= coords[0] || coords[3] <= coords[1])
    return NULL;
  x = (boxes[paint_box].x2 - boxes[paint_box].x1) / (coords[2] - coords[0]);
  y = (boxes[paint_box].y2 - boxes[paint_box].y1) / (coords[3] - coords[1]);
  /* Translators: how far the sides of a box may be off, in pixels */
  return g_strdup_printf (_("left ± %.0f, top ± %.0f, right ± %.0f, bottom ± %.0f pixels"), spread[0] * x, spread[1] * y,
                          spread[2] * x, spread[3] * y);
}

/* --- update ---------------------------------------------------------------- */

char *
sl_box_row_dup_badge (const SlPaintBox *box)
{
  SlBoxColor color = sl_box_palette_get (box->color);

  return g_strdup_printf ("<span background=\"#%02x%02x%02x\" foreground=\"%s\"> %d </span>",
                          (int) (color.red * 255), (int) (color.green * 255),
                          (int) (color.blue * 255),
                          0.299 * color.red + 0.587 * color.green + 0.114 * color.blue > 0.55
                            ? "#000000"
                            : "#ffffff",
                          box->number);
}

static void
update_badge (SlBoxRow *self,
              int       paint_box)
{
  g_autofree char *markup = NULL;
  gsize n_boxes;

  if (paint_box < 0)
    {
      gtk_label_set_label (self->badge, "–");
      return;
    }
  markup = sl_box_row_dup_badge (&sl_box_model_get_paint_boxes (self->model, &n_boxes)[paint_box]);
  gtk_label_set_markup (self->badge, markup);
}

static void
set_name (gpointer    widget,
          const char *name)
{
  gtk_accessible_update_property (GTK_ACCESSIBLE (widget), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
}

static void
update_eye (SlBoxRow   *self,
            const char *what)
{
  gboolean visible = sl_box_item_get_visible (self->item);
  /* Translators: a box by number and label */
  g_autofree char *name = g_strdup_printf (visible ? _("Hide %s") : _("Show %s"), what);

  gtk_toggle_button_set_active (self->eye, visible);
  gtk_button_set_icon_name (GTK_BUTTON (self->eye), visible ? "view-reveal-symbolic"
                                                            : "view-conceal-symbolic");
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->eye), visible ? _("Hide") : _("Show"));
  set_name (self->eye, name);
  if (visible)
    gtk_widget_remove_css_class (GTK_WIDGET (self), "hidden-box");
  else
    gtk_widget_add_css_class (GTK_WIDGET (self), "hidden-box");
}

void
sl_box_row_update (SlBoxRow *self)
{
  const char *label = sl_box_item_get_label (self->item);
  int paint_box = sl_box_model_find_paint_box (self->model, self->item);
  g_autofree char *details = dup_details (self, paint_box);
  g_autofree char *spread = dup_spread (self, paint_box);
  g_autofree char *what = NULL;
  g_autofree char *name = NULL;
  g_autofree char *menu_name = NULL;

  g_return_if_fail (SL_IS_BOX_ROW (self));

  label = *label ? label : _("Unnamed");
  update_badge (self, paint_box);
  gtk_label_set_label (self->title, label);
  gtk_label_set_label (self->details, details);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->details), spread);
  what = paint_box < 0 ? g_strdup (label)
                       /* Translators: a box: number, label */
                       : g_strdup_printf (_("Box %d: %s"), paint_box + 1, label);
  /* Translators: accessible name of a box: which one, place and state */
  name = g_strdup_printf (_("%s, %s"), what, details);
  set_name (self, name);
  gtk_widget_set_visible (GTK_WIDGET (self->eye), paint_box >= 0);
  update_eye (self, what);
  /* Translators: name of a menu of a box */
  menu_name = g_strdup_printf (_("Actions for %s"), what);
  set_name (self->menu, menu_name);
}

/* --- what happens ---------------------------------------------------------- */

static void
light (SlBoxRow *self)
{
  sl_box_model_light_box (self->model, sl_box_model_find_paint_box (self->model, self->item));
}

static void
put_out (SlBoxRow *self)
{
  sl_box_model_light_box (self->model, -1);
}

static void
on_eye (SlBoxRow *self)
{
  sl_box_item_set_visible (self->item, gtk_toggle_button_get_active (self->eye));
}

/* --- dragging out ---------------------------------------------------------- */

/* The part of the picture, without a copy. */
static GdkContentProvider *
make_texture_provider (SlPicture               *picture,
                       const cairo_rectangle_t *area)
{
  gsize stride = sl_picture_get_stride (picture);
  gsize start = (gsize) area->y * stride + (gsize) area->x * 3;
  gsize length = ((gsize) area->height - 1) * stride + (gsize) area->width * 3;
  g_autoptr (GBytes) part = g_bytes_new_from_bytes (sl_picture_get_rgb_bytes (picture), start, length);
  g_autoptr (GdkTexture) texture = gdk_memory_texture_new (area->width, area->height,
                                                           GDK_MEMORY_R8G8B8, part, stride);

  return gdk_content_provider_new_typed (GDK_TYPE_TEXTURE, texture);
}

static GdkContentProvider *
on_drag_prepare (SlBoxRow *self,
                 double    x,
                 double    y)
{
  int paint_box = sl_box_model_find_paint_box (self->model, self->item);
  SlMessagePart *part = sl_box_model_get_part (self->model);
  SlPicture *picture = part != NULL ? sl_message_part_get_picture (part) : NULL;
  const SlPaintBox *box;
  cairo_rectangle_t area;
  gsize n_boxes;
  const char *label;

  if (paint_box < 0 || picture == NULL)
    return NULL;
  box = &sl_box_model_get_paint_boxes (self->model, &n_boxes)[paint_box];
  /* At least one pixel, and inside. */
  area.x = MIN (box->x1, sl_picture_get_width (picture) - 1);
  area.y = MIN (box->y1, sl_picture_get_height (picture) - 1);
  area.width = CLAMP (box->x2 - area.x, 1, sl_picture_get_width (picture) - area.x);
  area.height = CLAMP (box->y2 - area.y, 1, sl_picture_get_height (picture) - area.y);
  label = sl_box_item_get_label (self->item);
  return gdk_content_provider_new_union (
    (GdkContentProvider *[]) { sl_crop_provider_new (picture, &area, *label ? label : _("Region"), box->number),
                               make_texture_provider (picture, &area) },
    2);
}

/* --- object ---------------------------------------------------------------- */

static void
sl_box_row_dispose (GObject *object)
{
  SlBoxRow *self = SL_BOX_ROW (object);

  g_clear_object (&self->model);
  g_clear_object (&self->item);
  G_OBJECT_CLASS (sl_box_row_parent_class)->dispose (object);
}

static void
sl_box_row_class_init (SlBoxRowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_box_row_dispose;
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-box-row.ui");
  gtk_widget_class_bind_template_child (widget_class, SlBoxRow, badge);
  gtk_widget_class_bind_template_child (widget_class, SlBoxRow, title);
  gtk_widget_class_bind_template_child (widget_class, SlBoxRow, details);
  gtk_widget_class_bind_template_child (widget_class, SlBoxRow, eye);
  gtk_widget_class_bind_template_child (widget_class, SlBoxRow, menu);
  gtk_widget_class_bind_template_callback (widget_class, light);
  gtk_widget_class_bind_template_callback (widget_class, put_out);
  gtk_widget_class_bind_template_callback (widget_class, on_drag_prepare);
  gtk_widget_class_bind_template_callback (widget_class, on_eye);
}

static void
sl_box_row_init (SlBoxRow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

/* Called at each opening: the actions are about the selected box, and hundreds of rows
 * do not need as many menus before. */
static void
on_menu (GtkMenuButton *button,
         gpointer       data)
{
  SlBoxRow *self = SL_BOX_ROW (data);
  GtkWidget *list = gtk_widget_get_parent (GTK_WIDGET (self));
  g_autoptr (GMenuModel) menu = NULL;

  if (GTK_IS_LIST_BOX (list))
    gtk_list_box_select_row (GTK_LIST_BOX (list), GTK_LIST_BOX_ROW (self));
  if (gtk_menu_button_get_menu_model (button) != NULL)
    return;
  menu = sl_box_row_create_menu ();
  gtk_menu_button_set_menu_model (button, menu);
}

GtkWidget *
sl_box_row_new (SlBoxModel *model,
                SlBoxItem  *item)
{
  SlBoxRow *self = g_object_new (SL_TYPE_BOX_ROW, NULL);

  self->model = g_object_ref (model);
  self->item = g_object_ref (item);
  gtk_menu_button_set_create_popup_func (self->menu, on_menu, self, NULL);
  sl_box_row_update (self);
  return GTK_WIDGET (self);
}

SlBoxItem *
sl_box_row_get_item (SlBoxRow *self)
{
  g_return_val_if_fail (SL_IS_BOX_ROW (self), NULL);
  return self->item;
}

static void
add_section (GMenu      *menu,
             const char *entries[][2],
             guint       n_entries)
{
  g_autoptr (GMenu) section = g_menu_new ();

  for (guint i = 0; i < n_entries; i++)
    g_menu_append (section, _(entries[i][0]), entries[i][1]);
  g_menu_append_section (menu, NULL, G_MENU_MODEL (section));
}

GMenuModel *
sl_box_row_create_menu (void)
{
  const char *look[][2] = { { N_("_Zoom to Box"), "viewer.zoom-box" },
                            { N_("Hide All of This _Label"), "viewer.hide-label" } };
  const char *ask[][2] = { { N_("_Find This Label Again"), "viewer.find-again" },
                           { N_("_Ask About This Region"), "viewer.ask::crop" },
                           { N_("Ask With a Red _Rectangle"), "viewer.ask::mark" } };
  const char *copy[][2] = { { N_("Copy _Pixels"), "viewer.copy::px" },
                            { N_("Copy _0–999"), "viewer.copy::norm" },
                            { N_("Copy Model _Text"), "viewer.copy::raw" },
                            { N_("Copy P_icture"), "viewer.copy-crop" },
                            { N_("_Save Picture…"), "viewer.save-crop" } };
  const char *edit[][2] = { { N_("Rena_me…"), "viewer.rename" },
                            { N_("_Remove"), "viewer.remove" },
                            { N_("_Back to the Model's Box"), "viewer.revert" } };
  GMenu *menu = g_menu_new ();

  add_section (menu, look, G_N_ELEMENTS (look));
  add_section (menu, ask, G_N_ELEMENTS (ask));
  add_section (menu, copy, G_N_ELEMENTS (copy));
  add_section (menu, edit, G_N_ELEMENTS (edit));
  return G_MENU_MODEL (menu);
}
