/* SPDX-License-Identifier: MIT
 *
 * A data: address (RFC 2397) to the bytes that it holds. Pure; any thread. What the bytes are is for the decoder of pictures to say: the
 * media type that the address claims is not believed.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* NULL with a sentence (G_IO_ERROR_INVALID_DATA; G_IO_ERROR_MESSAGE_TOO_LARGE for more than max_bytes) for what is no data address or
 * is not what it says. url: `length` bytes, any. */
GBytes *sl_data_url_decode (const char *url, gsize length, gsize max_bytes, GError **error);

G_END_DECLS
