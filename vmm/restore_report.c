// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/restore_report.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/core/json.h"
#include "vmm/core/loop.h"

/* A finding is a line; each may grow where it is escaped. */
static void put_findings(const struct findings *found, struct json_out *out)
{
	char *text = found->text ? strdup(found->text) : NULL, *rest = text, *line;

	json_open(out, "findings", '[');
	while (text && (line = strsep(&rest, "\n")))
		if (*line)
			json_str(out, NULL, line);
	json_close(out, ']');
	free(text);
}

static void put_result(const struct restore *r, const struct fail *fail, struct json_out *out)
{
	json_open(out, NULL, '{');
	json_bool(out, "ok", !fail->text[0]);
	if (fail->text[0]) {
		json_str(out, "error", fail->text);
		json_uint(out, "code", fail->code);
		put_findings(&r->refused, out);
	} else {
		json_uint(out, "bytes", r->bytes);
		json_uint(out, "total_us", (loop_now_ns() - r->began) / 1000);
		json_bool(out, "lazy", r->lazy);
	}
	json_close(out, '}');
}

void restore_report(const struct restore *r, const struct fail *fail, FILE *to)
{
	size_t cap = 4096 + 6 * (r->refused.len + sizeof(fail->text));
	char *text = malloc(cap);
	struct json_out out;

	if (!text)
		return;
	json_out_init(&out, text, cap);
	put_result(r, fail, &out);
	fprintf(to, "%s\n", text);
	free(text);
}
