// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arch/arm64/vgic_check.h"
#include "vmm/check.h"

struct tally {
	unsigned int n, ok, failed, skipped;
};

/* "EINVAL", or the value where one was read. */
static void answer_text(const struct gic_step *step, int answer, uint64_t value, char *buf,
			size_t size)
{
	if (answer)
		snprintf(buf, size, "%s", strerrorname_np(-answer) ?: "an unknown error");
	else if (step->op == GIC_OP_TYPER || step->op == GIC_OP_REGION_GET)
		snprintf(buf, size, "0x%" PRIx64, value);
	else
		snprintf(buf, size, "done");
}

static void report(void *arg, const struct vgic_result *r)
{
	struct tally *tally = arg;
	bool holds = r->skipped || gic_step_holds(r->step, r->answer, r->value);
	char text[80], want[32], got[32];

	gic_step_text(r->step, text, sizeof(text));
	answer_text(r->step, r->step->expect, r->step->value, want, sizeof(want));
	answer_text(r->step, r->answer, r->value, got, sizeof(got));
	printf("%s %u - %s: %s: %s", holds ? "ok" : "not ok", ++tally->n, r->from->name, text,
	       r->skipped ? want : got);
	if (r->skipped)
		printf(" # SKIP %s", r->skipped);
	else if (!holds)
		printf(", expected %s", want);
	putchar('\n');
	if (r->skipped)
		tally->skipped++;
	else if (holds)
		tally->ok++;
	else
		tally->failed++;
}

int check_gic(const struct kvm *kvm, struct fail *fail)
{
	struct tally tally = { 0 };

	puts("TAP version 13");
	if (vgic_check(kvm, report, &tally, fail))
		return (int)fail->code;
	printf("1..%u\n# %u ok, %u not ok, %u skipped\n", tally.n, tally.ok, tally.failed,
	       tally.skipped);
	if (!tally.ok) {
		fail_set(fail, EXIT_HOST, -1, "this host's KVM has neither GICv2 nor GICv3");
		return EXIT_HOST;
	}
	return tally.failed ? EXIT_TEST_FAILED : EXIT_OK;
}
