/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GUEST_ITS_H
#define GUEST_ITS_H

#include "tests/guest/lib/lib.h"

/*
 * A driver of the ITS (IHI 0069, chapter 5): its queue, and the tables that it and the
 * redistributors want. LPIs are configured by a byte each.
 */
enum {
	ITS = 0x08080000,
	GITS_CTLR = ITS + 0x0,
	GITS_IIDR = ITS + 0x4,
	GITS_TYPER = ITS + 0x8,
	GITS_CBASER = ITS + 0x80,
	GITS_CWRITER = ITS + 0x88,
	GITS_CREADR = ITS + 0x90,
	GITS_BASER0 = ITS + 0x100,
	GITS_BASER1 = ITS + 0x108,
	GITS_PIDR2 = ITS + 0xffe8,
	LPI = 8192,
	LPIS = 65536 - LPI,
	LPI_ENABLED = 1,
	QUEUE_SIZE = 0x10000,
};
#define ITS_VALID (1UL << 63)

enum {
	MOVI = 0x01,
	INT = 0x03,
	CLEAR = 0x04,
	SYNC = 0x05,
	MAPD = 0x08,
	MAPC = 0x09,
	MAPTI = 0x0a,
	MAPI = 0x0b,
	INV = 0x0c,
	INVALL = 0x0d,
	MOVALL = 0x0e,
	DISCARD = 0x0f,
};

extern volatile u8 its_config[LPIS]; /* bit 0: enabled; 7:2: priority */

/* Queue and tables in their registers, LPIs enabled at each of the CPUs, the ITS enabled. */
void its_init(void);
void its_set_queue(u64 base); /* while disabled */
void its_enable(bool on); /* waits until it is quiescent when it is to be off */

/* Appends a command; when the queue is full, waits for room. its_sync() waits until all were taken:
 * false after seconds. */
void its_put(u64 w0, u64 w1, u64 w2, u64 w3);
void its_go(void); /* tells the ITS of what was put */
bool its_sync(void);

/* One command each, put and not told of. */
void its_mapd(u32 device, unsigned int bits, u64 itt, bool valid);
void its_mapc(u32 collection, u32 cpu, bool valid);
void its_mapti(u32 device, u32 event, u32 intid, u32 collection);
void its_event(unsigned int command, u32 device, u32 event); /* INT, CLEAR, INV, DISCARD */
void its_movi(u32 device, u32 event, u32 collection);
void its_movall(u32 from, u32 to);
void its_invall(u32 collection);

#endif
