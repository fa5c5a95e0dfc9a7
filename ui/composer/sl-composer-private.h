/* SPDX-License-Identifier: MIT
 *
 * What the files of SlComposer share.
 */
#pragma once

#include "ui/composer/sl-composer.h"

struct _SlComposer
{
  GtkWidget parent_instance;

  GtkWidget *card;
  GtkWidget *edit_bar;
  GtkButton *cancel_edit;
  GtkLabel *placeholder;
  GtkScrolledWindow *scrolled;
  GtkTextView *text_view;
  GtkToggleButton *modes_buttons[SL_N_MODES];
  GtkLabel *raw_badge;
  GtkLabel *settings_badge;
  GtkMenuButton *options;
  GtkBox *meter_box;
  GtkWidget *meter;  /* SlContextMeter */
  SlEngine *engine;  /* knows what pictures cost, or NULL */
  GtkSpinner *spinner;
  GtkButton *send;

  GtkTextBuffer *buffer; /* of text_view, borrowed */
  gboolean preedit;      /* an input method is composing: Enter is its key */
  char *recalled;        /* what Up has brought */
  gboolean raw;
  gboolean generating;
  gboolean receiving;
};


void sl_composer_update_send (SlComposer *self);

/* sl-composer-text.c. After any change: "picture 2 of 3" for a screen reader. */
void sl_composer_number_pictures (SlComposer *self);
/* One that is being read, or laid over white. */
gboolean sl_composer_has_busy_picture (SlComposer *self);
/* Everything between the pictures. */
void sl_composer_delete_words (SlComposer *self);
/* A picture is dragged to another place in the text. */
void sl_composer_add_drop_target (SlComposer *self);
