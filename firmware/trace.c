// SPDX-License-Identifier: GPL-2.0-only
#include "firmware/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "firmware/psci.h"
#include "firmware/smccc_priv.h"
#include "vmm/core/opts.h"
#include "vmm/core/text.h"

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void trace_init(struct trace *trace, unsigned int services,
		void (*line)(void *arg, const char *text), void *arg)
{
	*trace = (struct trace){
		.services = services, .line = line, .arg = arg, .start_ns = now_ns()
	};
}

/* --- the option ------------------------------------------------------------------------------- */

enum { WORD_MAX = 32 };

static int add_service(const char *word, unsigned int *services, struct fail *fail)
{
	const char *known[SMCCC_SERVICES + 1] = { NULL };
	char names[64] = "";
	const char *near;

	for (unsigned int i = SMCCC_OTHER + 1; i <= SMCCC_SERVICES; i++) {
		const char *name = i < SMCCC_SERVICES ? smccc_service_name(i) : "its";
		size_t len = strlen(names);

		if (!strcmp(word, name)) {
			*services |= 1u << i;
			return 0;
		}
		known[i - 1] = name;
		snprintf(names + len, sizeof(names) - len, " %s", name);
	}
	near = opts_nearest(word, known);
	if (near)
		return fail_set(fail, EXIT_CONFIG, -EINVAL,
				"--trace: there is no service '%s', did you mean '%s'?", word,
				near);
	return fail_set(fail, EXIT_CONFIG, -EINVAL,
			"--trace: there is no service '%s'; give one or more, with commas, of:%s",
			word, names);
}

int trace_parse(const char *words, unsigned int *services, struct fail *fail)
{
	for (;;) {
		size_t len = strcspn(words, ",");
		char word[WORD_MAX];
		int err;

		snprintf(word, sizeof(word), "%.*s", (int)(len < WORD_MAX ? len : WORD_MAX), words);
		err = add_service(word, services, fail);
		if (err)
			return err;
		if (!words[len])
			return 0;
		words += len + 1;
	}
}

/* --- a line ----------------------------------------------------------------------------------- */

static void put_params(struct text *t, const struct smccc_fn *fn, const struct smccc_call *call)
{
	for (unsigned int i = 0; i < SMCCC_REGS - 1 && fn->params[i].kind != PARAM_NONE; i++) {
		const struct smccc_fn *named = NULL;

		text_put(t, " %s=0x%" PRIx64, fn->params[i].name, call->arg[i]);
		if (fn->params[i].kind == PARAM_FUNCTION)
			named = smccc_find_any((uint32_t)call->arg[i]);
		if (named)
			text_put(t, "(%s)", named->name);
	}
}

static const char *code_name(enum smccc_service service, int64_t value)
{
	const struct inject_code *code = smccc_codes(service);

	for (; code && code->name; code++)
		if (code->value == value)
			return code->name;
	return NULL;
}

/* The word for a result that is not negative, or NULL: then it is a number. */
static const char *value_name(enum smccc_result_kind kind, uint64_t value)
{
	static const char *const affinity[] = { "ON", "OFF", "ON_PENDING" };
	static const char *const hw_state[] = { "HW_ON", "HW_OFF", "HW_STANDBY" };

	if (kind == RESULT_AFFINITY && value < sizeof(affinity) / sizeof(affinity[0]))
		return affinity[value];
	if (kind == RESULT_HW_STATE && value < sizeof(hw_state) / sizeof(hw_state[0]))
		return hw_state[value];
	if ((kind == RESULT_CODE || kind == RESULT_SECRET) && value == 0)
		return "SUCCESS";
	return NULL;
}

static void put_words(struct text *t, const struct smccc_call *call)
{
	for (unsigned int i = 0; i < SMCCC_REGS; i++)
		text_put(t, "%s0x%" PRIx64, i ? " " : "", call->x[i]);
}

static void put_result(struct text *t, const struct smccc_fn *fn, const struct smccc_call *call)
{
	int64_t value = (int64_t)call->x[0];
	const char *name =
		value < 0 ? code_name(fn->service, value) : value_name(fn->result, call->x[0]);

	if (name)
		text_put(t, "%s", name);
	else if (fn->result == RESULT_WORDS)
		put_words(t, call);
	else if (fn->result == RESULT_VERSION && value >= 0)
		text_put(t, "%" PRIu64 ".%" PRIu64, call->x[0] >> 16, call->x[0] & 0xffff);
	else
		text_put(t, "%" PRId64, value);
}

/* What happens instead of a return, or NULL. */
static const char *outcome(const struct smccc_call *call)
{
	static const char *const actions[] = {
		[SMCCC_CONTINUE] = NULL,
		[SMCCC_CPU_OFF] = "cpu off",
		[SMCCC_STANDBY] = "standby",
		[SMCCC_POWERDOWN] = "powerdown",
		[SMCCC_SYSTEM_SUSPEND] = "system suspend",
	};
	static const char *const ends[] = {
		[SMCCC_END_NONE] = NULL,
		[SMCCC_END_OFF] = "system off",
		[SMCCC_END_HIBERNATE] = "hibernate off",
		[SMCCC_END_RESET] = "system reset",
		[SMCCC_END_RESET2] = "system reset",
	};

	return call->action == SMCCC_STOP ? ends[call->end] : actions[call->action];
}

void trace_call(const struct trace *trace, const struct smccc_fn *fn, const struct smccc_call *call,
		uint32_t id, bool injected)
{
	enum smccc_service service = fn ? fn->service : smccc_owner(id);
	const char *instead = outcome(call);
	struct text t = { .len = 0 };
	uint64_t us;

	if (!(trace->services & 1u << service))
		return;
	us = (now_ns() - trace->start_ns) / 1000;
	text_put(&t, "%" PRIu64 ".%06" PRIu64 " cpu%u ", us / 1000000, us % 1000000, call->cpu);
	if (fn)
		text_put(&t, "%s", fn->name);
	else
		text_put(&t, "0x%08" PRIx32, id);
	text_put(&t, "%s", call->smc ? " (smc)" : "");
	if (fn)
		put_params(&t, fn, call);
	text_put(&t, " -> ");
	if (instead)
		text_put(&t, "%s", instead);
	else if (fn)
		put_result(&t, fn, call);
	else
		text_put(&t, "NOT_SUPPORTED");
	text_put(&t, "%s", injected ? " (injected)" : "");
	trace->line(trace->arg, t.buf);
}
