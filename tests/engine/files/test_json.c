/* SPDX-License-Identifier: MIT
 *
 * The JSON of a model folder: numbers that no integer holds, byte order marks, keys that come twice, texts that are none.
 */
#include "engine/files/json.h"
#include "kernels/vlk.h"
#include "tests/engine/talk.h"
#include "tests/tap.h"

#include <math.h>

static json_t *parse(const char *text, vl2_error *err) {
    json_t *json = NULL;
    *err = (vl2_error){.text = ""};
    vl2_json_parse(text, strlen(text), "a.json", &json, err);
    return json;
}

static void test_numbers(void) {
    vl2_error err;
    json_t *json = parse("{\"a\": 1000000000000000019884624838656, \"b\": [-9223372036854775809,9223372036854775807, -9223372036854775808],"
                         "\"c\": \"12345678901234567890123 \\\" 12345678901234567890123\", \"d\": 5, \"e\": 2.5, \"f\": true,"
                         "\"g\": 12345678901234567890123e-3}",
                         &err);
    if (!ok(json != NULL, "numbers beyond 64 bits are read"))
        tap_diag("%s", err.text);
    json_t *b = json_object_get(json, "b");
    ok(fabs(json_real_value(json_object_get(json, "a")) - 1e30) < 1e15, "as reals");
    ok(json_is_real(json_array_get(b, 0)), "below zero, too");
    ok(json_integer_value(json_array_get(b, 1)) == INT64_MAX && json_integer_value(json_array_get(b, 2)) == INT64_MIN,
       "the largest and the smallest integer beside them stay integers");
    ok(json_integer_value(json_object_get(json, "d")) == 5 && json_is_real(json_object_get(json, "e")) && json_is_true(json_object_get(json, "f")),
       "what else is there is as it was");
    is_str(json_string_value(json_object_get(json, "c")), "12345678901234567890123 \" 12345678901234567890123", "digits of a text are text");
    ok(fabs(json_real_value(json_object_get(json, "g")) - 12345678901234567890.123) < 1e5, "a real with many digits is one");
    json_decref(json);
    ok(!parse("{\"a\": 1e999}", &err) && strstr(err.text, "overflow"), "a real that none can hold is refused");
    ok(!parse("{\"a\": 12345678901234567890123 5}", &err) && strstr(err.text, "a.json is not valid JSON"), "as are two numbers in a place");
}

static void test_forms(void) {
    static const struct {
        const char *what, *text, *part; /* part NULL: is read */
    } cases[] = {
        {"a byte order mark", "\xef\xbb\xbf{\"a\": 1}", NULL},
        {"lines that end in CRLF", "{\r\n\"a\": 1\r\n}\r\n", NULL},
        {"two byte order marks", "\xef\xbb\xbf\xef\xbb\xbf{\"a\": 1}", "not valid JSON"},
        {"a byte order mark alone", "\xef\xbb\xbf", "not valid JSON"},
        {"nothing", "", "not valid JSON"},
        {"a list", "[1]", "a.json is not a JSON object"},
        {"something behind the object", "{\"a\": 1} x", "not valid JSON"},
        {"a key that comes twice", "{\"language.model.embed_tokens.weight\": 1, \"b\": 2, \"language.model.embed_tokens.weight\": 3}",
         "a.json: \"language.model.embed_tokens.weight\" is named twice"},
        {"behind a byte order mark", "\xef\xbb\xbf{\"a\": 1, \"a\": 2}", "\"a\" is named twice"},
        {"behind a large number", "{\"a\": 12345678901234567890123, \"a\": 2}", "\"a\" is named twice"},
        {"with a quote in it", "{\"x\\\"y\": 1, \"x\\\"y\": 2}", "\"x\\\"y\" is named twice"},
        {"with nothing in it", "{\"\": 1, \"\": 2}", "\"\" is named twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vl2_error err;
        json_t *json = parse(cases[i].text, &err);
        if (!ok(cases[i].part ? !json && err.code == VL2_ERR_MODEL && strstr(err.text, cases[i].part) : json != NULL, "%s", cases[i].what))
            tap_diag("%s", err.text);
        json_decref(json);
    }
}

static void test_memory(void) {
    vl2_error err = {.text = ""};
    static const char text[] = "{\"a\": 12345678901234567890123}";
    json_t *json;
    vlk_alloc_fail_after(0);
    vl2_status status = vl2_json_parse(text, sizeof text - 1, "a.json", &json, &err);
    vlk_alloc_fail_after(-1);
    ok(status == VL2_ERR_MEMORY && !json, "a copy that there is no memory for is said");
}

int main(void) {
    test_numbers();
    test_forms();
    test_memory();
    return tap_done();
}
