// SPDX-License-Identifier: GPL-2.0-only
#include "vmm/machine_state_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/arm64/regs_state.h"
#include "firmware/psci.h"
#include "vmm/vm.h"

enum { DEVICE_PATH = 32 };

/* --- what it is made of ----------------------------------------------------------------------- */

/* Those of run: what else was given, to vmm test for example, is not the machine. */
static bool is_config_option(const struct opt *opt)
{
	for (const struct opt *o = opts_first(config_options); o; o = opts_next(o))
		if (o == opt)
			return true;
	return false;
}

/* The options as text: 0 or -errno. */
static int options_text(const struct opts_kept *given, char **text)
{
	struct opts_kept own = { 0 };
	size_t size = 0;
	FILE *out;
	int err;

	own.words = calloc(given->n ? given->n : 1, sizeof(*own.words));
	if (!own.words)
		return -ENOMEM;
	for (size_t i = 0; i < given->n; i++)
		if (is_config_option(given->words[i].opt))
			own.words[own.n++] = given->words[i];
	out = open_memstream(text, &size);
	if (out)
		opts_print(&own, NULL, out);
	err = !out || fclose(out) ? -errno : size > MACHINE_OPTIONS_MAX ? -E2BIG : 0;
	free(own.words);
	return err;
}

static int saved_fill(const struct machine *m, struct machine_saved *saved)
{
	int err = options_text(&machine_config(m)->given, &saved->options);

	if (err)
		return err;
	saved->cwd = getcwd(NULL, 0);
	if (!saved->cwd)
		return -errno;
	saved->counter_hz = regs_clock_hz();
	machine_made_of(m, saved);
	return 0;
}

/* --- parts ------------------------------------------------------------------------------------ */

/* What a section's visitor needs. */
struct part {
	struct vm *vm;
	struct vcpu *vcpu;
	struct device *dev;
	struct findings *refused;
};

static void clock_state(void *arg, struct state *s)
{
	struct vm *vm = ((struct part *)arg)->vm;
	struct clock *clock = &vm->clock;

	state_u64(s, "virtual", &clock->virt);
	state_u64(s, "physical", &clock->phys);
	state_bool(s, "has_physical", &clock->has_phys);
	state_optional_u64(s, "stopped_at", &vm->stopped_at);
	if (s->loading)
		vm->clock_stopped = vm->clock_moved = !s->err;
}

static void events_state(const struct kvm_vcpu *vcpu, struct state *s)
{
	struct kvm_vcpu_events events = { 0 };
	int err = s->loading ? 0 : kvm_vcpu_events_get(vcpu, &events);

	state_bytes(s, "events", &events, sizeof(events));
	if (!err && s->loading && !s->err)
		err = kvm_vcpu_events_set(vcpu, &events);
	if (err && !s->err)
		s->err = err;
}

static void mp_state(const struct kvm_vcpu *vcpu, struct state *s)
{
	uint32_t now = 0, state;
	int err = kvm_mp_state_get(vcpu, &now);

	state = now;
	state_u32(s, "mp_state", &state);
	if (!err && s->loading && !s->err && state != now)
		err = kvm_mp_state_set(vcpu, state);
	if (err && !s->err)
		s->err = err;
}

static bool any(const struct findings *refused)
{
	return refused && refused->n;
}

static void vcpu_state(void *arg, struct state *s)
{
	struct part *part = arg;
	struct vcpu *vcpu = part->vcpu;

	regs_state(&vcpu->kvm, s, part->refused);
	events_state(&vcpu->kvm, s);
	mp_state(&vcpu->kvm, s);
	/* Its thread waits under this lock, and looks at these when it goes on. */
	pthread_mutex_lock(&part->vm->run_lock);
	state_bool(s, "off", &vcpu->off);
	state_bool(s, "start", &vcpu->start);
	state_bool(s, "suspended", &vcpu->suspended);
	state_u64(s, "entry", &vcpu->entry);
	state_u64(s, "context", &vcpu->context);
	/* Only our own PSCI has CPUs that it switches on; of a host without, it was said already. */
	state_check(s, part->vm->fw || (!vcpu->off && !vcpu->start) || any(part->refused), "off");
	pthread_mutex_unlock(&part->vm->run_lock);
}

static void gic_state(void *arg, struct state *s)
{
	struct part *part = arg;

	part->vm->chip->ops->state(part->vm->chip, s, part->refused);
}

static void gic_check_state(void *arg, struct state *s)
{
	struct part *part = arg;
	const struct irqchip_ops *ops = part->vm->chip->ops;

	(ops->check ? ops->check : ops->state)(part->vm->chip, s, part->refused);
}

static void firmware_state(void *arg, struct state *s)
{
	psci_state(((struct part *)arg)->vm->fw->psci, s);
}

static void device_state(void *arg, struct state *s)
{
	struct device *dev = ((struct part *)arg)->dev;

	pthread_mutex_lock(&dev->lock);
	dev->ops->state(dev, s);
	pthread_mutex_unlock(&dev->lock);
}

typedef int (*section_fn)(struct snapshot *snap, const char *name,
			  void (*fn)(void *arg, struct state *s), void *arg, struct fail *fail);

/* A section that does not hold, is missing, or of a later version is one more finding. */
static int visit(struct snapshot *snap, section_fn section, const char *name,
		 void (*fn)(void *arg, struct state *s), struct part *part, struct fail *fail)
{
	struct fail why = { 0 };
	int err = section(snap, name, fn, part, &why);

	if (err && part->refused && why.code == EXIT_SNAPSHOT) {
		findings_take(part->refused, NULL, &why);
		return 0;
	}
	return err ? fail_set(fail, why.code, err, "%s", why.text) : 0;
}

static int each_vcpu(struct snapshot *snap, section_fn section, struct part *part,
		     struct fail *fail)
{
	char name[DEVICE_PATH];
	int err = 0;

	for (unsigned int i = 0; !err && i < part->vm->ncpus; i++) {
		part->vcpu = &part->vm->vcpus[i];
		snprintf(name, sizeof(name), "vcpu/%u", i);
		err = visit(snap, section, name, vcpu_state, part, fail);
	}
	return err;
}

static int each_device(struct snapshot *snap, section_fn section, struct part *part,
		       struct fail *fail)
{
	char name[DEVICE_PATH];
	int err = 0;

	for (unsigned int i = 0; !err && i < part->vm->ndevices; i++) {
		part->dev = part->vm->devices[i];
		snprintf(name, sizeof(name), "device/%s", part->dev->name);
		err = visit(snap, section, name, device_state, part, fail);
	}
	return err;
}

/* In the order of loading: vCPUs before the controller, whose registers are of existing CPUs; the
 * controller before the devices, which set their lines. */
static int each_section(struct vm *vm, struct snapshot *snap, section_fn section,
			struct findings *refused, struct fail *fail)
{
	struct part part = { .vm = vm, .refused = refused };
	int err = visit(snap, section, "clock", clock_state, &part, fail);

	if (!err)
		err = each_vcpu(snap, section, &part, fail);
	if (!err)
		err = visit(snap, section, "gic", gic_state, &part, fail);
	if (!err && vm->fw)
		err = visit(snap, section, "psci", firmware_state, &part, fail);
	return err ? err : each_device(snap, section, &part, fail);
}

static int save_section(struct snapshot *snap, const char *name,
			void (*fn)(void *arg, struct state *s), void *arg, struct fail *fail)
{
	return snapshot_add(snap, name, MACHINE_VERSION, fn, arg, fail);
}

static int load_section(struct snapshot *snap, const char *name,
			void (*fn)(void *arg, struct state *s), void *arg, struct fail *fail)
{
	return snapshot_get(snap, name, MACHINE_VERSION, fn, arg, fail);
}

int machine_save(struct machine *m, struct snapshot *snap, struct fail *fail)
{
	struct machine_saved saved = { 0 };
	int err = saved_fill(m, &saved);

	if (err)
		fail_set(fail, EXIT_HOST, err, "cannot save the machine: %s", strerror(-err));
	else
		err = machine_saved_add(snap, &saved, fail);
	machine_saved_free(&saved);
	if (!err)
		err = machine_save_disks(m, snap, fail);
	if (!err)
		err = machine_save_overlays(m, snap, fail);
	return err ? err : each_section(machine_vm(m), snap, save_section, NULL, fail);
}

/* --- comparing -------------------------------------------------------------------------------- */

static int take_section(struct snapshot *snap, const char *name,
			void (*fn)(void *arg, struct state *s), void *arg, struct fail *fail)
{
	(void)fn, (void)arg;
	return snapshot_take(snap, name, MACHINE_VERSION, fail);
}

/* What is in the snapshot of a device that could not be made, and what of a part that is not compared. */
static bool left_out(const struct machine *m, const char *name)
{
	static const char *const parts[] = { "machine", "clock", "vcpu/",   "gic",
					     "psci",	"disk/", "overlay/" };
	const char *at = strncmp(name, "device/", 7) ? NULL : strrchr(name, '@');

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!strncmp(name, parts[i], strlen(parts[i])))
			return true;
	return at && machine_left_out(m, strtoull(at + 1, NULL, 16));
}

/* Sections of which this machine has no part. */
static void find_left(const struct machine *m, const struct snapshot *snap,
		      struct findings *refused)
{
	unsigned int at = 0;
	const char *name;

	while ((name = snapshot_left(snap, &at)))
		if (!machine_partial(m) || !left_out(m, name))
			findings_add(refused,
				     "the snapshot has a section %s, this machine no such part",
				     name);
}

int machine_compare(struct machine *m, struct snapshot *snap, const struct machine_saved *saved,
		    struct findings *refused, struct fail *fail)
{
	struct part part = { .vm = machine_vm(m), .refused = refused };
	struct machine_saved here = { 0 };
	int err = visit(snap, take_section, "clock", NULL, &part, fail);

	machine_made_of(m, &here);
	if (!err)
		err = each_vcpu(snap, load_section, &part, fail);
	if (!err && here.gic == saved->gic)
		err = visit(snap, load_section, "gic", gic_check_state, &part, fail);
	if (!err && part.vm->fw)
		err = visit(snap, take_section, "psci", NULL, &part, fail);
	if (!err)
		err = each_device(snap, take_section, &part, fail);
	for (unsigned int i = 0; !err && i < machine_config(m)->ndisks; i++) {
		char name[OVERLAY_SECTION];

		machine_overlay_section(i, name);
		snapshot_take(snap, name, MACHINE_VERSION, NULL);
		snprintf(name, sizeof(name), "disk/%u", i);
		snapshot_take(snap, name, MACHINE_VERSION, NULL);
	}
	if (!err)
		find_left(m, snap, refused);
	return err;
}

int machine_load(struct machine *m, struct snapshot *snap, struct findings *refused,
		 struct fail *fail)
{
	int err = machine_load_overlays(m, snap, fail);

	if (!err)
		err = each_section(machine_vm(m), snap, load_section, refused, fail);
	if (!err)
		find_left(m, snap, refused);
	return err;
}
