// SPDX-License-Identifier: GPL-2.0-only
#include "tests/fake/firmware.h"

#include <assert.h>
#include <stdlib.h>

uint64_t fake_affinity(uint32_t cpu)
{
	return (uint64_t)(cpu / 8) << 32 | (cpu / 4 % 2) << 16 | (cpu / 2 % 2) << 8 | cpu % 2;
}

uint64_t fake_mpidr(uint32_t cpu)
{
	return fake_affinity(cpu) | 1u << 31;
}

static int fake_entropy(void *arg, void *buf, size_t len)
{
	struct fake_firmware *f = arg;
	uint8_t *byte = buf;

	for (size_t i = 0; i < len; i++)
		byte[i] = (uint8_t)(i + 1);
	return f->entropy_err;
}

void fake_firmware_init(struct fake_firmware *f, uint32_t version, unsigned int ncpus)
{
	void *ram = malloc(FAKE_RAM_SIZE);
	int err;

	*f = (struct fake_firmware){ .trng = { .entropy = fake_entropy, .arg = f } };
	err = guest_mem_add(&f->mem, FAKE_RAM, FAKE_RAM_SIZE, ram);
	if (!err)
		err = psci_init(&f->psci, version, ncpus, fake_mpidr, &f->mem);
	assert(ram && !err);
	f->fw = (struct smccc){ .psci = &f->psci, .trng = &f->trng };
}

void fake_firmware_fini(struct fake_firmware *f)
{
	psci_fini(&f->psci);
	free(f->mem.ram[0].host);
	guest_mem_destroy(&f->mem);
}

int64_t fake_call_on(const struct smccc *fw, struct smccc_call *call, unsigned int cpu, uint32_t id,
		     uint64_t a, uint64_t b, uint64_t c)
{
	*call = (struct smccc_call){ .cpu = cpu, .x = { id, a, b, c } };
	smccc_call(fw, call);
	return (int64_t)call->x[0];
}

int64_t fake_call(struct fake_firmware *f, unsigned int cpu, uint32_t id, uint64_t a, uint64_t b,
		  uint64_t c)
{
	return fake_call_on(&f->fw, &f->last, cpu, id, a, b, c);
}
