/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FIRMWARE_PE_H
#define FIRMWARE_PE_H

#include "firmware/image.h"

/*
 * Whether a kernel with an EFI stub is all there: its PE section table tells how long the file must
 * be (PE/COFF specification, "File Headers" and "Section Table"). Call it for a file that begins
 * with "MZ". 0, or -errno with `fail` set: not a PE file for arm64, or shorter than that.
 */
int pe_check(const struct boot_file *file, struct fail *fail);

#endif
