// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/restore_report.h"

#include <stdlib.h>

#include "vmm/core/json.h"
#include "vmm/core/loop.h"

static void put_result(const struct restore *r, const struct fail *fail, struct json_out *out)
{
	json_open(out, NULL, '{');
	json_bool(out, "ok", !fail->text[0]);
	if (fail->text[0]) {
		json_str(out, "error", fail->text);
		json_uint(out, "code", fail->code);
		json_lines(out, "findings", r->refused.text ? r->refused.text : "");
	} else {
		json_uint(out, "bytes", r->bytes);
		json_uint(out, "total_us", (loop_now_ns() - r->began) / 1000);
		json_bool(out, "lazy", r->lazy);
	}
	json_close(out, '}');
}

void restore_report(const struct restore *r, const struct fail *fail, FILE *to)
{
	/* A character may grow to six where it is escaped. */
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
