// SPDX-License-Identifier: GPL-2.0-only
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/suite.h"
#include "vmm/core/json.h"

/* On the heap, of exactly the text's size, where the sanitizers see what lies beyond. */
static char *copy(const char *text)
{
	char *line = strdup(text);

	ck_assert_ptr_nonnull(line);
	return line;
}

static int parse_only(const char *text)
{
	struct json_object obj;
	char *line = copy(text);
	int err = json_parse(line, &obj);

	free(line);
	return err;
}

START_TEST(members_by_key)
{
	char *line = copy(" { \"a\" : 1 , \"b\":\"two\",\"c\":true,\"d\":false,\"e\":null,"
			  "\"f\":{\"x\":[1,{\"y\":\"}]\\\"\"}]},\"g\":[ ],\"h\":-1.5e+3 } \r\n");
	struct json_object obj, inner;

	ck_assert_int_eq(json_parse(line, &obj), 0);
	ck_assert_uint_eq(obj.n, 8);
	ck_assert_int_eq(json_get(&obj, "a")->type, JSON_INT);
	ck_assert_int_eq(json_get(&obj, "a")->num, 1);
	ck_assert_str_eq(json_get(&obj, "a")->text, "1");
	ck_assert_str_eq(json_get_str(&obj, "b"), "two");
	ck_assert_ptr_null(json_get_str(&obj, "a"));
	ck_assert_ptr_null(json_get_str(&obj, "nothing"));
	ck_assert_int_eq(json_get(&obj, "c")->num, 1);
	ck_assert_int_eq(json_get(&obj, "d")->type, JSON_BOOL);
	ck_assert_int_eq(json_get(&obj, "e")->type, JSON_NULL);
	ck_assert_int_eq(json_get(&obj, "g")->type, JSON_ARRAY);
	ck_assert_str_eq(json_get(&obj, "g")->text, "[ ]");
	ck_assert_int_eq(json_get(&obj, "h")->type, JSON_NUMBER);
	ck_assert_str_eq(json_get(&obj, "h")->text, "-1.5e+3");
	ck_assert_int_eq(json_get(&obj, "f")->type, JSON_OBJECT);
	ck_assert_int_eq(json_parse(json_get(&obj, "f")->text, &inner), 0);
	ck_assert_str_eq(json_get(&inner, "x")->text, "[1,{\"y\":\"}]\\\"\"}]");
	free(line);
}
END_TEST

START_TEST(strings_are_decoded)
{
	char *line = copy("{\"k\\u0065y\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20ac\\ud83d\\ude00 "
			  "\xc3\xa9\",\"\":\"\"}");
	struct json_object obj;

	ck_assert_int_eq(json_parse(line, &obj), 0);
	ck_assert_str_eq(json_get_str(&obj, "key"),
			 "\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 \xc3\xa9");
	ck_assert_str_eq(json_get_str(&obj, ""), "");
	free(line);
}
END_TEST

START_TEST(integers)
{
	char *line = copy("{\"a\":9223372036854775807,\"b\":-9223372036854775808,"
			  "\"c\":9223372036854775808,\"d\":0,\"e\":-0,\"f\":1.0}");
	struct json_object obj;

	ck_assert_int_eq(json_parse(line, &obj), 0);
	ck_assert(json_get(&obj, "a")->num == INT64_MAX);
	ck_assert(json_get(&obj, "b")->num == INT64_MIN);
	ck_assert_int_eq(json_get(&obj, "c")->type, JSON_NUMBER);
	ck_assert_int_eq(json_get(&obj, "d")->type, JSON_INT);
	ck_assert_int_eq(json_get(&obj, "e")->num, 0);
	ck_assert_int_eq(json_get(&obj, "f")->type, JSON_NUMBER);
	free(line);
}
END_TEST

static const char *const refused[] = {
	"",
	" ",
	"1",
	"[]",
	"\"a\"",
	"{",
	"}",
	"{}x",
	"{}}",
	"{,}",
	"{\"a\"}",
	"{\"a\":}",
	"{\"a\":1,}",
	"{\"a\":1 \"b\":2}",
	"{a:1}",
	"{\"a\":1",
	"{\"a\":1]",
	"{\"a\":[1}",
	"{\"a\":[1,]}",
	"{\"a\":[,1]}",
	"{\"a\":{1:2}}",
	"{\"a\":tru}",
	"{\"a\":01}",
	"{\"a\":-}",
	"{\"a\":1.}",
	"{\"a\":.5}",
	"{\"a\":1e}",
	"{\"a\":1e+}",
	"{\"a\":+1}",
	"{\"a\":0x1}",
	"{\"a\":\"}",
	"{\"a\":\"\\",
	"{\"a\":\"\\x\"}",
	"{\"a\":\"\\u12\"}",
	"{\"a\":\"\\u0000\"}",
	"{\"a\":\"\\ud800\"}",
	"{\"a\":\"\\udc00\"}",
	"{\"a\":\"\\ud800\\u0041\"}",
	"{\"a\":\"\t\"}",
	"{\"a\":\"\xff\"}",
	"{\"a\":\"\xc0\xaf\"}",
	"{\"a\":\"\xe2\x82\"}",
	"{\"a\":\"\xed\xa0\x80\"}",
	"{\"a\":\"\xf4\x90\x80\x80\"}",
	"{\"a\":[\"\xff\"]}",
	"{\"a\":1,\"a\":2}",
	"{\"a\":1,\"\\u0061\":2}",
};

START_TEST(refused_text)
{
	ck_assert_int_eq(parse_only(refused[_i]), -EINVAL);
}
END_TEST

START_TEST(limits)
{
	char text[4096];
	size_t at = 0;

	for (int depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
		snprintf(text, sizeof(text), "{\"a\":%.*s%.*s}", depth, "[[[[[[[[[[[[", depth,
			 "]]]]]]]]]]]]");
		ck_assert_int_eq(parse_only(text), depth > JSON_DEPTH_MAX ? -E2BIG : 0);
	}
	/* Deep enough to end a parser that recurses without a limit. */
	for (at = 0; at < sizeof(text) - 1; at++)
		text[at] = at < 5 ? "{\"a\":"[at] : '[';
	text[at] = 0;
	ck_assert_int_eq(parse_only(text), -E2BIG);
	for (int n = JSON_FIELDS_MAX; n <= JSON_FIELDS_MAX + 1; n++) {
		at = (size_t)sprintf(text, "{\"k\":0");
		for (int i = 1; i < n; i++)
			at += (size_t)sprintf(text + at, ",\"k%d\":0", i);
		sprintf(text + at, "}");
		ck_assert_int_eq(parse_only(text), n > JSON_FIELDS_MAX ? -E2BIG : 0);
	}
}
END_TEST

/* Whatever the bytes: an answer, nothing read or written outside, and fields inside the text. */
START_TEST(elements_of_an_array)
{
	char *line = copy(
		"{\"a\":[ 1 ,\"t\\u0077o\",[2,\"]\"] ,{\"b\":[\"x\"]}, true ],\"e\":[],\"f\":[ ],"
		"\"g\":[[]]}");
	static const char *const texts[] = { "1", "two", "[2,\"]\"]", "{\"b\":[\"x\"]}", "true" };
	struct json_object obj, inner;
	struct json_field elem;
	unsigned int n = 0;
	char *at;

	ck_assert_int_eq(json_parse(line, &obj), 0);
	at = obj.fields[0].text + 1;
	while (json_next(&at, &elem)) {
		ck_assert_uint_lt(n, 5);
		ck_assert_str_eq(elem.text, texts[n]);
		if (elem.type == JSON_OBJECT) {
			char *in;

			ck_assert_int_eq(json_parse(elem.text, &inner), 0);
			in = inner.fields[0].text + 1;
			ck_assert(json_next(&in, &elem));
			ck_assert_str_eq(elem.text, "x");
			ck_assert(!json_next(&in, &elem));
		}
		n++;
	}
	ck_assert_uint_eq(n, 5);
	ck_assert(!json_next(&at, &elem));
	for (unsigned int i = 1; i < 3; i++) {
		at = obj.fields[i].text + 1;
		ck_assert(!json_next(&at, &elem));
	}
	at = obj.fields[3].text + 1;
	ck_assert(json_next(&at, &elem));
	at = elem.text + 1;
	ck_assert(!json_next(&at, &elem));
	free(line);
}
END_TEST

START_TEST(random_bytes)
{
	static const char tokens[] = "{}[],:\"\\u0d8atruefalsn-+.eE19 \t\xc3\xa9\xf0";
	static const char good[] = "{\"a\":1,\"b\":\"x\\ud83d\\ude00\",\"c\":[true,{\"d\":null}]}";
	unsigned int seed = 1, parsed = 0;

	for (int round = 0; round < 200000; round++) {
		struct json_object obj;
		char text[64] = "";
		char *line;
		size_t len = (size_t)rand_r(&seed) % (sizeof(text) - 1);

		if (round % 2) {
			strcpy(text, good);
			for (int n = rand_r(&seed) % 4; n >= 0; n--)
				text[(size_t)rand_r(&seed) % (sizeof(good) - 1)] =
					tokens[(size_t)rand_r(&seed) % (sizeof(tokens) - 1)];
		} else {
			for (size_t i = 0; i < len; i++)
				text[i] = round % 4 ? (char)rand_r(&seed)
						    : tokens[(size_t)rand_r(&seed) %
							     (sizeof(tokens) - 1)];
		}
		line = copy(text);
		len = strlen(line);
		if (!json_parse(line, &obj)) {
			parsed++;
			for (unsigned int i = 0; i < obj.n; i++)
				ck_assert(obj.fields[i].text >= line &&
					  strlen(obj.fields[i].text) <= len);
		}
		free(line);
	}
	ck_assert_uint_gt(parsed, 100);
}
END_TEST

START_TEST(writing)
{
	char buf[256];
	struct json_out out;

	json_out_init(&out, buf, sizeof(buf));
	json_open(&out, NULL, '{');
	json_bool(&out, "ok", true);
	json_str(&out, "name", "a\"b\\c\n\x1b\x7f\xff\xc3\xa9");
	json_open(&out, "list", '[');
	json_uint(&out, NULL, 0);
	json_uint(&out, NULL, UINT64_MAX);
	json_open(&out, NULL, '{');
	json_close(&out, '}');
	json_close(&out, ']');
	json_bool(&out, "no", false);
	json_close(&out, '}');
	ck_assert(!out.full);
	ck_assert_str_eq(buf, "{\"ok\":true,\"name\":\"a\\\"b\\\\c\\u000a\\u001b\\u007f"
			      "\xef\xbf\xbd\xc3\xa9\",\"list\":[0,18446744073709551615,{}],"
			      "\"no\":false}");
	ck_assert_uint_eq(out.len, strlen(buf));
	ck_assert_int_eq(parse_only(buf), 0);
}
END_TEST

START_TEST(lines_of_a_text)
{
	char buf[256];
	struct json_out out;

	json_out_init(&out, buf, sizeof(buf));
	json_open(&out, NULL, '{');
	json_lines(&out, "none", "");
	json_lines(&out, "empty", "\n\n");
	json_lines(&out, "one", "a line");
	json_lines(&out, "more", "\nthe \"first\"\n\n\xc3\nthe\tlast\n");
	json_close(&out, '}');
	ck_assert(!out.full);
	ck_assert_str_eq(buf,
			 "{\"none\":[],\"empty\":[],\"one\":[\"a line\"],"
			 "\"more\":[\"the \\\"first\\\"\",\"\xef\xbf\xbd\",\"the\\u0009last\"]}");
	ck_assert_int_eq(parse_only(buf), 0);
}
END_TEST

/* Too small a buffer is noticed at every size, and never overrun. */
START_TEST(writing_beyond_the_end)
{
	for (size_t cap = 1; cap < 32; cap++) {
		char *buf = malloc(cap);
		struct json_out out;

		json_out_init(&out, buf, cap);
		json_open(&out, NULL, '{');
		json_str(&out, "k", "v\"");
		json_uint(&out, "n", 12345);
		json_close(&out, '}');
		ck_assert(out.full == (cap < sizeof("{\"k\":\"v\\\"\",\"n\":12345}")));
		ck_assert_uint_lt(strlen(buf), cap);
		free(buf);
	}
}
END_TEST

START_TEST(elements)
{
	char text[] =
		"{\"a\": [1, \"t\\u0041\" , [ ], [[2],3], {\"b\":[4]}, true ],\"e\":[ ],\"z\":0}";
	static const struct {
		enum json_type type;
		const char *text;
	} want[] = {
		{ JSON_INT, "1" },	   { JSON_STRING, "tA" },	   { JSON_ARRAY, "[ ]" },
		{ JSON_ARRAY, "[[2],3]" }, { JSON_OBJECT, "{\"b\":[4]}" }, { JSON_BOOL, "true" },
	};
	struct json_object obj;
	struct json_field el;
	char *at, *inner;

	ck_assert_int_eq(json_parse(text, &obj), 0);
	at = json_get(&obj, "a")->text + 1;
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		ck_assert(json_next(&at, &el));
		ck_assert_ptr_null(el.key);
		ck_assert_int_eq(el.type, want[i].type);
		ck_assert_str_eq(el.text, want[i].text);
		inner = el.text + 1;
		if (i != 3)
			continue;
		ck_assert(json_next(&inner, &el) && el.type == JSON_ARRAY);
		ck_assert(json_next(&inner, &el) && el.num == 3);
		ck_assert(!json_next(&inner, &el));
	}
	ck_assert(!json_next(&at, &el));
	ck_assert(!json_next(&at, &el));
	at = json_get(&obj, "e")->text + 1;
	ck_assert(!json_next(&at, &el));
	ck_assert_int_eq(json_get(&obj, "z")->num, 0);
}
END_TEST

START_TEST(writing_other_values)
{
	char buf[100];
	struct json_out out;

	json_out_init(&out, buf, sizeof(buf));
	json_open(&out, NULL, '{');
	json_hex(&out, "h", UINT64_MAX);
	json_raw(&out, "r", "[1,{}]");
	json_hex(&out, "z", 0);
	json_close(&out, '}');
	ck_assert(!out.full);
	ck_assert_str_eq(buf, "{\"h\":\"0xffffffffffffffff\",\"r\":[1,{}],\"z\":\"0x0\"}");
}
END_TEST

START_TEST(printed_for_people)
{
	char text[] =
		"{\"a\":1,\"s\":\"x\\u001by\",\"o\":{\"b\":true,\"e\":{}},\"n\":[1,\"two\",3],"
		"\"z\":[],\"l\":[{\"c\":1,\"d\":[5]},{}],\"m\":[[1,2],[3]]}";
	static const char want[] = "a: 1\ns: x?y\no:\n  b: true\n  e:\nn: 1 two 3\nz:\n"
				   "l:\n  - c: 1\n    d: 5\n  - -\nm:\n  [1,2]\n  [3]\n";
	char *printed = NULL;
	struct json_object obj;
	size_t size;
	FILE *out = open_memstream(&printed, &size);

	ck_assert_int_eq(json_parse(text, &obj), 0);
	for (unsigned int i = 0; i < obj.n; i++)
		json_print(&obj.fields[i], 0, out);
	fclose(out);
	ck_assert_str_eq(printed, want);
	free(printed);
}
END_TEST

START_TEST(printed_within_the_columns)
{
	char text[2000] = "{\"key\":[";
	char *printed = NULL;
	struct json_object obj;
	size_t size;
	FILE *out = open_memstream(&printed, &size);

	for (int i = 0; i < 31; i++)
		strcat(text, i ? ",\"0xffff800080012345\"" : "\"0xffff800080012345\"");
	strcat(text, "]}");
	ck_assert_int_eq(json_parse(text, &obj), 0);
	json_print(&obj.fields[0], 4, out);
	fclose(out);
	for (char *line = strtok(printed, "\n"); line; line = strtok(NULL, "\n"))
		ck_assert_uint_le(strlen(line), 100);
	free(printed);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_json");
	TCase *tc = tcase_create("json");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, members_by_key);
	tcase_add_test(tc, strings_are_decoded);
	tcase_add_test(tc, integers);
	tcase_add_loop_test(tc, refused_text, 0, sizeof(refused) / sizeof(refused[0]));
	tcase_add_test(tc, limits);
	tcase_add_test(tc, elements_of_an_array);
	tcase_add_test(tc, random_bytes);
	tcase_add_test(tc, writing);
	tcase_add_test(tc, writing_beyond_the_end);
	tcase_add_test(tc, lines_of_a_text);
	tcase_add_test(tc, elements);
	tcase_add_test(tc, printed_for_people);
	tcase_add_test(tc, printed_within_the_columns);
	tcase_add_test(tc, writing_other_values);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
