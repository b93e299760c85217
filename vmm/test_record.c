// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/test_record.h"

#include <stdlib.h>
#include <string.h>

void test_text(char text[TEST_TEXT_MAX], const char *from)
{
	size_t n = 0;

	for (; *from && n < TEST_TEXT_MAX - 1; from++)
		text[n++] = (unsigned char)*from < ' ' || *from == 0x7f
				    ? (*from == '\t' ? ' ' : '?')
				    : *from;
	text[n] = 0;
}

void test_tail_add(struct test_tail *tail, const char *text)
{
	test_text(tail->lines[tail->n++ % TEST_TAIL_LINES], text);
}

const char *test_tail_line(const struct test_tail *tail, unsigned int i)
{
	unsigned int first = tail->n > TEST_TAIL_LINES ? tail->n - TEST_TAIL_LINES : 0;

	return first + i < tail->n ? tail->lines[(first + i) % TEST_TAIL_LINES] : NULL;
}

void test_messages_add(struct test_record *result, const char *data, size_t len)
{
	char *text = result->messages;
	size_t had = strlen(text), drop;

	if (len >= TEST_MESSAGES_MAX) {
		data += len - (TEST_MESSAGES_MAX - 1);
		len = TEST_MESSAGES_MAX - 1;
	}
	if (had + len >= TEST_MESSAGES_MAX) {
		const char *line;

		drop = had + len - (TEST_MESSAGES_MAX - 1);
		line = memchr(text + drop - 1, '\n', had - drop + 1);
		drop = line ? (size_t)(line - text) + 1 : drop;
		had -= drop;
		memmove(text, text + drop, had);
	}
	for (size_t i = 0; i < len; i++)
		text[had++] = data[i] ? data[i] : '?';
	text[had] = 0;
}

void test_record_fini(struct test_record *result)
{
	free(result->debug);
	result->debug = NULL;
}

bool test_run_passed(const struct test_run *run)
{
	return run->result && run->result->outcome == TEST_PASSED;
}

bool test_run_flaky(const struct test_run *run)
{
	return run->attempts > 1 && test_run_passed(run);
}
