/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_GIC_PLAN_H
#define ARCH_ARM64_GIC_PLAN_H

#include "arch/arm64/gic_layout.h"

/* Which interrupt controller the machine gets and where its frames are, decided without KVM. */

/* As --irqchip's words are ordered. */
enum gic_kind { GIC_AUTO, GIC_V2, GIC_V2M, GIC_V3, GIC_V3_WITH_ITS, GIC_V2_USER, GIC_KINDS };

/* The words of --irqchip, by enum gic_kind; NULL behind the last. */
extern const char *const gic_kind_words[];

enum gic_model gic_kind_model(enum gic_kind kind);
bool gic_kind_has_its(enum gic_kind kind);
bool gic_kind_has_v2m(enum gic_kind kind);
bool gic_kind_in_kernel(enum gic_kind kind);

/* What the host's KVM can do. */
struct gic_host {
	bool v2, v3, its;
	bool user; /* tells timers' levels to a controller in userspace: KVM_CAP_ARM_USER_IRQ */
	unsigned int cpus; /* KVM_CAP_MAX_VCPUS */
};

struct gic_want {
	enum gic_kind kind; /* GIC_AUTO: what the host does best */
	unsigned int cpus; /* 1 to GIC_CPUS_MAX */
	unsigned int spis; /* GIC_SPIS_MIN to GIC_SPIS_MAX */
	uint64_t ram_end; /* redistributors for which there is no room below RAM go behind it */
	unsigned int ipa_bits;
	/* The guest's ITS is not the kernel's, which then is behind all else, with GIC_HIDDEN_MEM of
	 * memory for its tables behind it: the hidden ITS (vgic_hidden.h). */
	bool user_its;
};

enum { GIC_HIDDEN_MEM = 0x110000 };

/* What it can, for a sentence: "gicv3, gicv3-its". */
enum { GIC_WORDS = 64 };
void gic_host_words(const struct gic_host *host, char words[GIC_WORDS]);
/* The most CPUs that a controller of that kind, which it can, has there. */
unsigned int gic_host_cpus(const struct gic_host *host, enum gic_kind kind);

/* Resolves GIC_AUTO. -ENODEV (EXIT_HOST: it has none at all; EXIT_CONFIG: not the one that is
 * wanted) and -EINVAL (too many CPUs for it), in a sentence that names what the host can do. */
int gic_choose(const struct gic_host *host, struct gic_want *want, struct fail *fail);

/* Places every frame, with the vCPUs 0 to cpus - 1, as KVM will see them after its initialisation.
 * 0, or an errno of gic_layout.h. `want->kind` is not GIC_AUTO. */
int gic_plan(const struct gic_want *want, struct gic_layout *layout, struct fail *fail);

/* The address behind the controller and RAM, whatever its kind; uses cpus, ram_end, user_its. */
uint64_t gic_plan_end(const struct gic_want *want);

/* What KVM_DEV_ARM_VGIC_GRP_NR_IRQS is told: private interrupts included, whole words. */
uint32_t gic_plan_irqs(unsigned int spis);

#endif
