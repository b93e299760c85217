// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>

#include "devices/its_priv.h"

/* --- devices and events ------------------------------------------------------------------------ */

static size_t nchunks(unsigned int bits)
{
	return ((1U << bits) + ITS_CHUNK - 1) / ITS_CHUNK;
}

struct its_dev *its_find_dev(struct its *its, uint32_t device)
{
	return device < ITS_IDS && its->devs[device].bits ? &its->devs[device] : NULL;
}

struct ite *its_find_ite(struct its *its, uint32_t device, uint32_t event)
{
	const struct its_dev *dev = its_find_dev(its, device);
	struct ite *chunk;

	if (!dev || !dev->chunks || event >> dev->bits)
		return NULL;
	chunk = dev->chunks[event / ITS_CHUNK];
	return chunk && chunk[event % ITS_CHUNK].intid ? &chunk[event % ITS_CHUNK] : NULL;
}

void its_dev_map(struct its *its, uint32_t device, unsigned int bits, uint64_t itt)
{
	its->devs[device] = (struct its_dev){ .bits = (uint8_t)bits, .itt = itt };
	if (device >= its->ndevs)
		its->ndevs = device + 1;
}

static void free_chunk(struct its *its, struct its_dev *dev, struct ite **chunk)
{
	for (unsigned int i = 0; i < ITS_CHUNK; i++)
		if ((*chunk)[i].intid)
			its_ite_free(its, dev, &(*chunk)[i]);
	free(*chunk);
	*chunk = NULL;
	its->memory -= ITS_CHUNK * sizeof(**chunk);
}

void its_dev_unmap(struct its *its, uint32_t device,
		   void (*fn)(struct its *its, uint32_t device, uint32_t event))
{
	struct its_dev *dev = its_find_dev(its, device);

	if (!dev)
		return;
	for (size_t c = 0; dev->chunks && c < nchunks(dev->bits); c++) {
		struct ite **chunk = &dev->chunks[c];

		for (unsigned int i = 0; fn && *chunk && i < ITS_CHUNK; i++)
			if ((*chunk)[i].intid)
				fn(its, device, (uint32_t)c * ITS_CHUNK + i);
		if (*chunk)
			free_chunk(its, dev, chunk);
	}
	if (dev->chunks)
		its->memory -= nchunks(dev->bits) * sizeof(dev->chunks[0]);
	free(dev->chunks);
	*dev = (struct its_dev){ 0 };
}

/* Zeroed, within the bound on what a guest can make of it. */
static int get_memory(struct its *its, size_t n, size_t size, void **out)
{
	if (n * size > ITS_MEMORY_MAX - its->memory)
		return -ENOSPC;
	*out = calloc(n, size);
	if (!*out)
		return -ENOMEM;
	its->memory += n * size;
	return 0;
}

int its_ite_get(struct its *its, struct its_dev *dev, uint32_t event, struct ite **ite)
{
	void *memory;
	int err;

	if (!dev->chunks) {
		err = get_memory(its, nchunks(dev->bits), sizeof(dev->chunks[0]), &memory);
		if (err)
			return err;
		dev->chunks = memory;
	}
	if (!dev->chunks[event / ITS_CHUNK]) {
		err = get_memory(its, ITS_CHUNK, sizeof(**ite), &memory);
		if (err)
			return err;
		dev->chunks[event / ITS_CHUNK] = memory;
	}
	*ite = &dev->chunks[event / ITS_CHUNK][event % ITS_CHUNK];
	return 0;
}

/* --- ITEs and collections ---------------------------------------------------------------------- */

static void attach(struct its *its, struct ite *ite, uint32_t icid)
{
	struct coll *coll = &its->colls[icid];

	if (icid >= its->ncolls)
		its->ncolls = icid + 1;
	ite->coll = coll;
	ite->next = coll->ites;
	ite->link = &coll->ites;
	if (ite->next)
		ite->next->link = &ite->next;
	coll->ites = ite;
}

void its_ite_detach(struct ite *ite)
{
	if (!ite->coll)
		return;
	*ite->link = ite->next;
	if (ite->next)
		ite->next->link = ite->link;
	ite->coll = NULL;
}

void its_ite_map(struct its *its, struct its_dev *dev, struct ite *ite, uint32_t intid,
		 uint32_t icid)
{
	ite->intid = intid;
	its->taken[intid / 64] |= 1ULL << intid % 64;
	dev->live++;
	attach(its, ite, icid);
}

bool its_lpi_taken(const struct its *its, uint32_t intid)
{
	return its->taken[intid / 64] >> intid % 64 & 1;
}

void its_ite_free(struct its *its, struct its_dev *dev, struct ite *ite)
{
	its_ite_detach(ite);
	its->taken[ite->intid / 64] &= ~(1ULL << ite->intid % 64);
	ite->intid = 0;
	dev->live--;
}

void its_ite_move(struct its *its, struct ite *ite, uint32_t icid)
{
	its_ite_detach(ite);
	attach(its, ite, icid);
}

uint32_t its_coll_id(const struct its *its, const struct coll *coll)
{
	return (uint32_t)(coll - its->colls);
}

static void leave_cpu(struct coll *coll)
{
	if (!coll->valid)
		return;
	*coll->link = coll->next;
	if (coll->next)
		coll->next->link = coll->link;
	coll->valid = false;
}

void its_coll_map(struct its *its, uint32_t icid, uint32_t cpu)
{
	struct coll *coll = &its->colls[icid];

	leave_cpu(coll);
	coll->valid = true;
	coll->cpu = cpu;
	coll->next = its->of_cpu[cpu];
	coll->link = &its->of_cpu[cpu];
	if (coll->next)
		coll->next->link = &coll->next;
	its->of_cpu[cpu] = coll;
	if (icid >= its->ncolls)
		its->ncolls = icid + 1;
}

void its_coll_unmap(struct its *its, uint32_t icid)
{
	struct coll *coll = &its->colls[icid];

	while (coll->ites)
		its_ite_detach(coll->ites);
	leave_cpu(coll);
}

void its_drop_devs(struct its *its)
{
	for (uint32_t id = 0; id < its->ndevs; id++)
		its_dev_unmap(its, id, NULL);
	its->ndevs = 0;
}

void its_drop_colls(struct its *its)
{
	for (uint32_t icid = 0; icid < its->ncolls; icid++)
		its_coll_unmap(its, icid);
	its->ncolls = 0;
}
