/* SPDX-License-Identifier: MIT
 *
 * The texts to fill in.
 */
#include "ui/composer/sl-template.h"

#include <glib/gi18n.h>
#include <string.h>

static const SlTemplate templates[] = {
  { N_("_Find One Thing"), N_("The [animal] at the back"), SL_MODE_FIND, FALSE },
  { N_("Find by _Name"), N_("Find <|ref|>[name]<|/ref|>"), SL_MODE_CHAT, TRUE },
  { N_("Find _All of a Kind"), N_("Find all the <|ref|>[things]<|/ref|>"), SL_MODE_CHAT, TRUE },
  { N_("Ask What to _Do"), N_("I want to [throw something away]. What should I do?"), SL_MODE_GROUND,
    FALSE },
  { N_("_Same Kind in a Second Picture"),
    N_("In the first image, an object within the red rectangle is marked. Locate the object of the "
       "same category in the second image."),
    SL_MODE_GROUND, FALSE },
  { N_("Describe Each _Step"), N_("Describe each stage of this picture in detail."), SL_MODE_CHAT,
    FALSE },
  { N_("_Compare Several Pictures"), N_("What can be made from [what these pictures show]?"),
    SL_MODE_CHAT, FALSE },
};

const SlTemplate *
sl_template_get (guint index)
{
  return index < G_N_ELEMENTS (templates) ? &templates[index] : NULL;
}

char *
sl_template_dup_text (const SlTemplate *self,
                      guint            *first,
                      guint            *last)
{
  g_autoptr (GString) text = g_string_new (_(self->text));
  char *open = strchr (text->str, '[');
  char *close = open != NULL ? strchr (open, ']') : NULL;

  *first = *last = g_utf8_strlen (text->str, -1);
  if (close != NULL)
    {
      *first = g_utf8_pointer_to_offset (text->str, open);
      *last = g_utf8_pointer_to_offset (text->str, close) - 1;
      g_string_erase (text, close - text->str, 1);
      g_string_erase (text, open - text->str, 1);
    }
  return g_strdup (text->str);
}

GMenuModel *
sl_template_create_menu (const char *action)
{
  GMenu *menu = g_menu_new ();

  for (guint i = 0; i < G_N_ELEMENTS (templates); i++)
    {
      g_autofree char *detailed = g_strdup_printf ("%s(uint32 %u)", action, i);

      g_menu_append (menu, _(templates[i].name), detailed);
    }
  return G_MENU_MODEL (menu);
}
