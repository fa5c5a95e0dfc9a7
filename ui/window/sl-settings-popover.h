/* SPDX-License-Identifier: MIT
 *
 * SlSettingsPopover: how the answers of a conversation are made: its system message and what is chosen in the place of what the mode
 * starts from, with presets that have names. What is set is the conversation's at once. Held by the button in the window's header bar;
 * UI thread.
 */
#pragma once

#include <gtk/gtk.h>

#include "app/conversation/sl-conversation.h"

G_BEGIN_DECLS

#define SL_TYPE_SETTINGS_POPOVER (sl_settings_popover_get_type ())

G_DECLARE_FINAL_TYPE (SlSettingsPopover, sl_settings_popover, SL, SETTINGS_POPOVER, GtkPopover)

void sl_settings_popover_set_conversation (SlSettingsPopover *self,
                                           SlConversation    *conversation);
/* The mode whose numbers stand where nothing is chosen. */
void sl_settings_popover_set_mode         (SlSettingsPopover *self,
                                           SlMode             mode);

G_END_DECLS
