/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMM_KVM_H
#define VMM_KVM_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct doorbell;
/* Other architectures' headers lack it. */
struct kvm_vcpu_init;

/*
 * Thin wrappers of KVM's ioctls: 0 (or a value) or -errno, no policy, no messages. Tests link a
 * fake of this file. Documentation/virt/kvm/api.rst names each call.
 */
struct kvm {
	int sys_fd; /* /dev/kvm */
	int vm_fd;
	size_t run_size; /* bytes of a vCPU's shared area */
};

struct kvm_vcpu {
	int fd; /* -1: none */
	uint32_t id;
	struct kvm_run *run; /* shared with the kernel */
	size_t run_size;
};

/* Opens /dev/kvm and checks the API version: 0 or -errno (-EPROTO: not version 12). */
int kvm_open(struct kvm *kvm);
void kvm_close(struct kvm *kvm);

/* Creates the VM with `type` (on arm64 the IPA bits); closing it destroys it. */
int kvm_vm_open(struct kvm *kvm, unsigned long type);
void kvm_vm_close(struct kvm *kvm);

/* KVM_CHECK_EXTENSION, asked of the VM while there is one: 0 where the capability is absent. */
int kvm_cap(const struct kvm *kvm, unsigned int cap);
int kvm_enable_cap(const struct kvm *kvm, unsigned int cap, uint64_t arg0);

int kvm_memslot(const struct kvm *kvm, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t size,
		void *host);
/* The dirty log of a slot, a bit a page of the host, in whole words; and, with
 * KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, what of it begins anew: `pages` from `first` on, multiples of 64
 * but for the slot's end. */
int kvm_log_get(const struct kvm *kvm, uint32_t slot, uint64_t *bits);
int kvm_log_clear(const struct kvm *kvm, uint32_t slot, uint64_t first, uint64_t pages,
		  uint64_t *bits);
int kvm_irq_line(const struct kvm *kvm, uint32_t irq, bool level);
int kvm_irqfd(const struct kvm *kvm, int fd, uint32_t gsi, bool on);
/* Starts or stops queueing stores to a zone; stopping also ends zones around this one. */
int kvm_coalesce(const struct kvm *kvm, uint64_t addr, uint32_t size, bool on);
/* A message to the in-kernel ITS: 0, or -errno where it means no interrupt (-ENOENT). */
int kvm_signal_msi(const struct kvm *kvm, uint64_t addr, uint32_t data, uint32_t device);
/* The whole table of GSIs. */
int kvm_irq_routes(const struct kvm *kvm, const struct kvm_irq_routing *table);
int kvm_ioeventfd(const struct kvm *kvm, const struct doorbell *db, bool on);

/* Returns the device's descriptor. */
int kvm_device_create(const struct kvm *kvm, uint32_t type);
/* 0 if the type could be created, or -errno (-ENODEV). */
int kvm_device_test(const struct kvm *kvm, uint32_t type);
int kvm_attr_set(int fd, uint32_t group, uint64_t attr, const void *value);
int kvm_attr_get(int fd, uint32_t group, uint64_t attr, void *value);
/* 0 if there is such an attribute, or -errno (-ENXIO). */
int kvm_attr_test(int fd, uint32_t group, uint64_t attr);

int kvm_preferred_target(const struct kvm *kvm, struct kvm_vcpu_init *init);
int kvm_vcpu_open(const struct kvm *kvm, uint32_t id, struct kvm_vcpu *vcpu);
void kvm_vcpu_close(struct kvm_vcpu *vcpu);
int kvm_vcpu_init(const struct kvm_vcpu *vcpu, const struct kvm_vcpu_init *init);
int kvm_vcpu_finalize(const struct kvm_vcpu *vcpu, int feature);
/* -EINTR after a kick. */
int kvm_vcpu_run(const struct kvm_vcpu *vcpu);
int kvm_reg_get(const struct kvm_vcpu *vcpu, uint64_t id, void *value);
int kvm_reg_set(const struct kvm_vcpu *vcpu, uint64_t id, const void *value);
/* The ids of all registers, malloc'ed and the caller's; NULL on error. */
int kvm_reg_list(const struct kvm_vcpu *vcpu, struct kvm_reg_list **list);
int kvm_mp_state_set(const struct kvm_vcpu *vcpu, uint32_t state);
/* Waits until the vCPU is not in KVM_RUN. */
int kvm_mp_state_get(const struct kvm_vcpu *vcpu, uint32_t *state);
int kvm_vcpu_events_get(const struct kvm_vcpu *vcpu, struct kvm_vcpu_events *events);
int kvm_vcpu_events_set(const struct kvm_vcpu *vcpu, const struct kvm_vcpu_events *events);

#endif
