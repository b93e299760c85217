// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/vring.h"

#include <assert.h>
#include <string.h>

/* Moving through the bytes of a chain's buffers. */

/* Copies (unless `buf` is NULL) and moves on; entries passed are whole again, for the rewind. */
static size_t iov_move(struct virtq_iov *v, void *buf, size_t len, bool to_guest)
{
	size_t done = 0;

	while (done < len && v->at < v->n) {
		struct iovec *iov = &v->iov[v->at];
		size_t part = len - done < iov->iov_len ? len - done : iov->iov_len;

		if (buf && to_guest)
			memcpy(iov->iov_base, (uint8_t *)buf + done, part);
		else if (buf)
			memcpy((uint8_t *)buf + done, iov->iov_base, part);
		done += part;
		iov->iov_base = (uint8_t *)iov->iov_base + part;
		iov->iov_len -= part;
		v->consumed += part;
		if (!iov->iov_len) {
			iov->iov_base = (uint8_t *)iov->iov_base - v->consumed;
			iov->iov_len = v->consumed;
			v->consumed = 0;
			v->at++;
		}
	}
	v->left -= done;
	return done;
}

size_t virtq_pull(struct virtq_chain *chain, void *buf, size_t len)
{
	return iov_move(&chain->out, buf, len, false);
}

size_t virtq_put(struct virtq_chain *chain, const void *buf, size_t len)
{
	return iov_move(&chain->in, (void *)buf, len, true);
}

size_t virtq_skip(struct virtq_iov *iov, size_t len)
{
	return iov_move(iov, NULL, len, false);
}

void virtq_rewind(struct virtq_iov *v)
{
	if (v->at < v->n) {
		struct iovec *iov = &v->iov[v->at];

		iov->iov_base = (uint8_t *)iov->iov_base - v->consumed;
		iov->iov_len += v->consumed;
	}
	v->left = 0;
	v->at = 0;
	v->consumed = 0;
	for (unsigned int i = 0; i < v->n; i++)
		v->left += v->iov[i].iov_len;
}

uint8_t *virtq_cut_tail(struct virtq_chain *chain)
{
	struct virtq_iov *v = &chain->in;
	struct iovec *last;

	assert(!v->at && !v->consumed);
	if (!v->left)
		return NULL;
	last = &v->iov[v->n - 1];
	last->iov_len--;
	v->left--;
	if (!last->iov_len)
		v->n--;
	return (uint8_t *)last->iov_base + last->iov_len;
}
