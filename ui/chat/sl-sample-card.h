/* SPDX-License-Identifier: MIT
 *
 * A sample as a button: its picture, mode and prompt. Made by SlEmptyState, which connects to "clicked"; UI thread only.
 */
#pragma once

#include "ui/chat/sl-sample.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_SAMPLE_CARD (sl_sample_card_get_type ())

G_DECLARE_FINAL_TYPE (SlSampleCard, sl_sample_card, SL, SAMPLE_CARD, GtkButton)

/* @sample is borrowed and only read in the call. */
GtkWidget *sl_sample_card_new (const SlSample *sample);

G_END_DECLS
