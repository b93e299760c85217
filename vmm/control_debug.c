// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/control_debug.h"

#include <string.h>

/* What devices tell: all of it, or that of the ones whose name begins so. */
static bool print_sections(char *text, const char *wanted, FILE *out)
{
	size_t len = wanted ? strlen(wanted) : 0;
	struct json_field el = { 0 };
	bool found = false;

	for (char *at = text + 1; json_next(&at, &el);) {
		struct json_object obj;
		const char *name;

		if (el.type != JSON_OBJECT || json_parse(el.text, &obj))
			continue;
		name = json_get_str(&obj, "section");
		if (!name || (wanted && strncmp(name, wanted, len)))
			continue;
		found = true;
		fprintf(out, "%s:\n", name);
		for (unsigned int i = 0; i < obj.n; i++)
			if (strcmp(obj.fields[i].key, "section"))
				json_print(&obj.fields[i], 2, out);
	}
	return found;
}

bool control_debug_print(struct json_object *obj, const char *section, FILE *out)
{
	bool found = !section;

	for (unsigned int i = 0; i < obj->n; i++) {
		struct json_field *field = &obj->fields[i];

		if (!strcmp(field->key, "sections") && field->type == JSON_ARRAY) {
			found |= print_sections(field->text, section, out);
		} else if (strcmp(field->key, "ok") && (!section || !strcmp(field->key, section))) {
			json_print(field, 0, out);
			found = true;
		}
	}
	return found;
}
