// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/blk_config.h"

#include "virtio/virtio.h"

static unsigned int log2_of(uint32_t v)
{
	return 31 - (unsigned int)__builtin_clz(v);
}

static uint32_t at_most(uint64_t v, uint32_t max)
{
	return v < max ? (uint32_t)v : max;
}

/* 5.2.4. The geometry means nothing but is asked for by tools of old partition tables. */
void blk_fill_config(struct virtio_blk_config *c, const struct disk *disk, unsigned int queues)
{
	c->capacity = disk->size >> SECTOR_SHIFT;
	/* With header and status a request just fits the queue, for drivers without indirect
	 * descriptors. */
	c->seg_max = BLK_QUEUE - 2;
	c->geometry.heads = 16;
	c->geometry.sectors = 63;
	c->geometry.cylinders = at_most(c->capacity / (16 * 63), 16383);
	c->blk_size = disk->block_size;
	c->physical_block_exp = log2_of(disk->physical / disk->block_size);
	c->alignment_offset = at_most(disk->align_offset / disk->block_size, UINT8_MAX);
	c->min_io_size = at_most((disk->min_io ? disk->min_io : disk->physical) / disk->block_size,
				 UINT16_MAX);
	c->opt_io_size = disk->opt_io / disk->block_size;
	c->wce = 1;
	c->num_queues = queues;
	c->discard_sector_alignment = disk->physical >> SECTOR_SHIFT;
	c->max_discard_sectors = BLK_DISCARD_MAX;
	c->max_discard_seg = 1;
	c->max_write_zeroes_sectors = BLK_ZEROES_MAX;
	c->max_write_zeroes_seg = 1;
	c->write_zeroes_may_unmap = disk->discards;
}

uint64_t blk_features(const struct disk *disk, unsigned int queues)
{
	uint64_t features = VIRTIO_BIT(VIRTIO_BLK_F_SEG_MAX) | VIRTIO_BIT(VIRTIO_BLK_F_GEOMETRY) |
			    VIRTIO_BIT(VIRTIO_BLK_F_BLK_SIZE) | VIRTIO_BIT(VIRTIO_BLK_F_TOPOLOGY) |
			    VIRTIO_BIT(VIRTIO_BLK_F_FLUSH) | VIRTIO_BIT(VIRTIO_BLK_F_CONFIG_WCE);

	features |= VIRTIO_BIT(disk->ro ? VIRTIO_BLK_F_RO : VIRTIO_BLK_F_WRITE_ZEROES);
	if (disk->discards)
		features |= VIRTIO_BIT(VIRTIO_BLK_F_DISCARD);
	if (queues > 1)
		features |= VIRTIO_BIT(VIRTIO_BLK_F_MQ);
	return features;
}
