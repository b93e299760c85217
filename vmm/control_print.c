// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/control_print.h"

#include <stdio.h>
#include <string.h>

/* Where a value stands: its names, outermost first. */
struct place {
	const struct place *in; /* NULL: the answer itself */
	const char *name;
};

void control_print_plain(const char *text)
{
	for (; *text; text++)
		putchar((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
}

static void print_place(const struct place *place)
{
	if (!place->in)
		return;
	print_place(place->in);
	if (place->in->in)
		putchar(' ');
	control_print_plain(place->name);
}

static bool is_object_array(const struct json_field *field)
{
	return field->type == JSON_ARRAY && field->text[1 + strspn(field->text + 1, " \t")] == '{';
}

static bool is_plain(const struct json_field *field)
{
	return field->type != JSON_ARRAY && field->type != JSON_OBJECT;
}

static void print_line(const struct place *place, const char *value)
{
	print_place(place);
	fputs(": ", stdout);
	control_print_plain(value);
	putchar('\n');
}

static void print_members(struct json_object *obj, const struct place *place);

static void print_object(char *text, const struct place *place)
{
	struct json_object obj;

	if (json_parse(text, &obj))
		print_line(place, "?");
	else
		print_members(&obj, place);
}

/* Elements are called by their "name", which is not said again, or counted. */
static void print_elements(struct json_field *array, const struct place *place)
{
	char *rest = array->text + 1;
	struct json_field elem;

	for (unsigned int i = 0; json_next(&rest, &elem); i++) {
		struct json_object obj;
		struct place at = { .in = place };
		char number[16];

		if (elem.type != JSON_OBJECT || json_parse(elem.text, &obj))
			continue;
		snprintf(number, sizeof(number), "%u", i);
		at.name = json_get_str(&obj, "name");
		if (!at.name)
			at.name = number;
		print_members(&obj, &at);
	}
}

/* The plain ones of an inner object, on one line. */
static void print_plain_members(struct json_object *obj, const struct place *place)
{
	const char *before = ": ";

	for (unsigned int i = 0; i < obj->n; i++) {
		const struct json_field *field = &obj->fields[i];

		if (!is_plain(field) || !strcmp(field->key, "name"))
			continue;
		if (*before == ':')
			print_place(place);
		fputs(before, stdout);
		control_print_plain(field->key);
		putchar(' ');
		control_print_plain(field->text);
		before = ", ";
	}
	if (*before == ',')
		putchar('\n');
}

static void print_members(struct json_object *obj, const struct place *place)
{
	if (place->in)
		print_plain_members(obj, place);
	for (unsigned int i = 0; i < obj->n; i++) {
		struct json_field *field = &obj->fields[i];
		struct place at = { place, field->key };

		if (field->type == JSON_OBJECT)
			print_object(field->text, &at);
		else if (is_object_array(field))
			print_elements(field, &at);
		else if (field->type == JSON_ARRAY || (!place->in && strcmp(field->key, "ok")))
			print_line(&at, field->text);
	}
}

void control_print(struct json_object *obj)
{
	const struct place top = { 0 };

	print_members(obj, &top);
}
