/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ARCH_ARM64_LAYOUT_H
#define ARCH_ARM64_LAYOUT_H

/*
 * The memory map, compatible with QEMU's `virt` board, so that firmware, kernels and bare-metal
 * programs made for that board run here unmodified.
 *
 *   0x0000_0000  flash 0, flash 1 (64 MiB each)
 *   0x0800_0000  GICD      64 KiB (GICv2: 4 KiB)
 *   0x0801_0000  GICC      GICv2 only, 8 KiB
 *   0x0802_0000  GICv2m    GICv2 only, 4 KiB; SPI 48 to 111, edge
 *   0x0808_0000  ITS       128 KiB
 *   0x080a_0000  GICR      123 redistributors of 128 KiB
 *   0x0900_0000  PL011     SPI 1, level
 *   0x0901_0000  PL031     SPI 2, level
 *   0x0903_0000  PL061     SPI 7, level; line 3 is the power key
 *   0x090a_0000  stolen time, 64 bytes a CPU (memory, Arm DEN0057)
 *   0x090d_0000  VM generation id, SPI 10, edge
 *   0x0a00_0000  virtio-mmio, 32 slots of 0x200, SPI 16 + n, edge
 *   0x1000_0000  PCI: window for BARs; from 0x3f00_0000 ECAM of one bus; SPI 3 to 6, level
 *   0x4000_0000  RAM, contiguous; after it, aligned to 64 KiB, the redistributors of CPU 123 up
 */
#define LAYOUT_GICD_BASE     0x08000000ULL
#define LAYOUT_GICD_SIZE     0x00010000ULL
#define LAYOUT_GICC_BASE     0x08010000ULL
#define LAYOUT_GICC_SIZE     0x00002000ULL
#define LAYOUT_GICV2M_BASE   0x08020000ULL
#define LAYOUT_GICV2M_SIZE   0x00001000ULL
#define LAYOUT_ITS_BASE	     0x08080000ULL
#define LAYOUT_ITS_SIZE	     0x00020000ULL
#define LAYOUT_GICR_BASE     0x080a0000ULL
#define LAYOUT_GICR_CPU_SIZE 0x00020000ULL
#define LAYOUT_GICR_CPUS     123
#define LAYOUT_GICR_ALIGN    0x00010000ULL

#define LAYOUT_PL011_BASE    0x09000000ULL
#define LAYOUT_PL031_BASE    0x09010000ULL
#define LAYOUT_GPIO_BASE     0x09030000ULL
#define LAYOUT_PVTIME_BASE   0x090a0000ULL
#define LAYOUT_PVTIME_SIZE   0x00010000ULL
#define LAYOUT_PVTIME_STRIDE 64
#define LAYOUT_VMGENID_BASE  0x090d0000ULL
#define LAYOUT_VIRTIO_BASE   0x0a000000ULL
#define LAYOUT_VIRTIO_STRIDE 0x00000200ULL
#define LAYOUT_VIRTIO_SLOTS  32
#define LAYOUT_PCI_MMIO_BASE 0x10000000ULL
#define LAYOUT_PCI_MMIO_SIZE 0x2eff0000ULL
#define LAYOUT_PCI_ECAM_BASE 0x3f000000ULL
#define LAYOUT_PCI_ECAM_SIZE 0x00100000ULL
#define LAYOUT_RAM_BASE	     0x40000000ULL
#define LAYOUT_RAM_ALIGN     0x00200000ULL

/* SPIs as the device tree numbers them (INTID - 32). */
#define LAYOUT_PL011_SPI   1
#define LAYOUT_PL031_SPI   2
#define LAYOUT_PCI_SPI	   3
#define LAYOUT_GPIO_SPI	   7
#define LAYOUT_VMGENID_SPI 10
#define LAYOUT_VIRTIO_SPI  16
#define LAYOUT_GICV2M_SPI  48
#define LAYOUT_GICV2M_SPIS 64
/* What the machine has unless it is told otherwise, and what it needs. */
#define LAYOUT_SPIS	256
#define LAYOUT_SPIS_MIN 112

/* PPIs as INTIDs. */
#define LAYOUT_PPI_PMU	      23
#define LAYOUT_PPI_HYP_TIMER  26
#define LAYOUT_PPI_VIRT_TIMER 27
#define LAYOUT_PPI_HYP_VIRT   28
#define LAYOUT_PPI_SEC_TIMER  29
#define LAYOUT_PPI_PHYS_TIMER 30

_Static_assert(LAYOUT_GICD_BASE + LAYOUT_GICD_SIZE <= LAYOUT_GICC_BASE, "GICD, GICC");
_Static_assert(LAYOUT_GICC_BASE + LAYOUT_GICC_SIZE <= LAYOUT_GICV2M_BASE, "GICC, GICv2m");
_Static_assert(LAYOUT_GICV2M_BASE + LAYOUT_GICV2M_SIZE <= LAYOUT_ITS_BASE, "GICv2m, ITS");
_Static_assert(LAYOUT_ITS_BASE + LAYOUT_ITS_SIZE <= LAYOUT_GICR_BASE, "ITS, GICR");
_Static_assert(LAYOUT_GICR_BASE + LAYOUT_GICR_CPUS * LAYOUT_GICR_CPU_SIZE <= LAYOUT_PL011_BASE,
	       "GICR, PL011");
_Static_assert(LAYOUT_PVTIME_BASE + LAYOUT_PVTIME_SIZE <= LAYOUT_VMGENID_BASE, "PVTIME, vmgenid");
_Static_assert(LAYOUT_VMGENID_BASE + 0x1000 <= LAYOUT_VIRTIO_BASE, "vmgenid, virtio");
_Static_assert(LAYOUT_VIRTIO_BASE + LAYOUT_VIRTIO_SLOTS * LAYOUT_VIRTIO_STRIDE <=
		       LAYOUT_PCI_MMIO_BASE,
	       "virtio, PCI");
_Static_assert(LAYOUT_PCI_MMIO_BASE + LAYOUT_PCI_MMIO_SIZE <= LAYOUT_PCI_ECAM_BASE, "PCI");
_Static_assert(LAYOUT_PCI_ECAM_BASE + LAYOUT_PCI_ECAM_SIZE <= LAYOUT_RAM_BASE, "PCI, RAM");
_Static_assert(LAYOUT_VIRTIO_SPI + LAYOUT_VIRTIO_SLOTS <= LAYOUT_GICV2M_SPI, "virtio, GICv2m SPIs");
_Static_assert(LAYOUT_GICV2M_SPI + LAYOUT_GICV2M_SPIS <= LAYOUT_SPIS_MIN, "SPIs");

#endif
