/* SPDX-License-Identifier: MIT
 *
 * Fuzz target: the body of a request → a question, or the protocol's error as JSON with a sentence. No file is opened on its way.
 */
#include "app/pictures/sl-picture.h"
#include "app/server/sl-chat-request.h"
#include "tests/fuzz/fuzz.h"

#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const SlChatLimits limits = {.max_picture_bytes = 1 << 16, .max_pictures = 4, .max_messages = 16};
    SlChatError error = {0};
    SlChatRequest *request = sl_chat_request_parse((const char *)data, size, &limits, &error);

    if (!request) {
        g_autofree char *json = sl_chat_error_dup_json(&error);
        json_t *root = json_loads(json, 0, NULL);

        CHECK(root && error.status >= 400 && error.status < 500 && error.message[0]);
        json_decref(root);
        sl_chat_error_clear(&error);
        return 0;
    }
    CHECK(request->messages->len > 0 && request->messages->len <= 16 && request->pictures->len <= 4);
    CHECK(request->settings.sampling.temperature >= 0 && request->settings.sampling.top_p > 0 && request->settings.sampling.top_p <= 1);
    CHECK(request->settings.max_tokens >= 0 && request->top_logprobs <= 20 && (request->logprobs || request->top_logprobs == 0));
    if (request->pictures->len == 0) {
        SlPrompt *prompt = sl_chat_request_make_prompt(request);

        CHECK(sl_prompt_get_n_messages(prompt) == request->messages->len);
        sl_prompt_unref(prompt);
    }
    sl_chat_request_free(request);
    return 0;
}
