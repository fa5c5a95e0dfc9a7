/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: an address → the bytes that it holds, at most as many as allowed, or a sentence; what GLib makes of well-formed base64
 * is what this makes of it.
 */
#include "app/server/sl-data-url.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = sl_data_url_decode((const char *)data, size, 1 << 12, &error);
    g_autofree char *base64 = g_base64_encode(data, size < 1024 ? size : 1024);
    g_autofree char *url = g_strconcat("data:;base64,", base64, NULL);
    g_autoptr(GBytes) back = sl_data_url_decode(url, strlen(url), 1 << 12, NULL);

    CHECK(bytes ? g_bytes_get_size(bytes) <= (1 << 12) + 3 : error && error->message[0]);
    CHECK(back && g_bytes_get_size(back) == (size < 1024 ? size : 1024));
    CHECK(size == 0 || memcmp(g_bytes_get_data(back, NULL), data, g_bytes_get_size(back)) == 0);
    return 0;
}
