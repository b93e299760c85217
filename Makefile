# SPDX-License-Identifier: GPL-2.0-only
# One globbed Makefile: a new source file needs no edit.
#   make            build/vmm: static, arm64 (cross-compiled elsewhere)
#   make demo       boots Debian's arm64 kernel in vmm, on real KVM
#   make check      all tests; make check-long adds the long ones
#   make check-unit [SAN=address|undefined|thread]   the native tests alone
#   make fuzz [FUZZ=NAME] [FUZZ_TIME=60]   fuzzes the devices (clang)
#   make bench [BENCH=NAME]   counts instructions and exits against QEMU
#   make images     the guest kernel, initrd and root file system
#   make install    DESTDIR=, PREFIX=/usr/local

BUILD ?= build
export VMM_BUILD := $(abspath $(BUILD))
export VMM_CACHE ?= $(abspath $(BUILD))/cache
PREFIX ?= /usr/local
VERSION := 0.1.0

ifeq ($(shell uname -m),aarch64)
CROSS ?=
else
CROSS ?= aarch64-linux-gnu-
endif
TARGET_CC := $(CROSS)gcc
TARGET_STRIP := $(CROSS)strip
HOST_CC ?= gcc
SYSROOT := $(BUILD)/sysroot

WARN := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef
CFLAGS ?= -O2 -g
BASE := -std=gnu11 -D_GNU_SOURCE -DVMM_VERSION='"$(VERSION)"' $(WARN) -MMD -MP -pthread -I.

# The rooms. Portable ones compile anywhere and carry the native tests.
PORTABLE := $(wildcard vmm/core/*.c devices/*.c virtio/*.c firmware/*.c)
# Of the architecture and the program, what needs no KVM: plain C, with native tests.
PORTABLE += $(wildcard arch/arm64/gic_*.c) arch/arm64/mmio_decode.c arch/arm64/pagetable.c
PORTABLE += arch/arm64/stack.c arch/arm64/regs_field.c arch/arm64/regs_name.c arch/arm64/regs_record.c
PORTABLE += $(wildcard vmm/control*.c vmm/cmd_control*.c vmm/config.c vmm/snapshot*.c vmm/test_*.c)
PORTABLE += $(wildcard vmm/migrate*.c)
PORTABLE += vmm/pages.c vmm/coalesce.c vmm/term.c vmm/progress.c vmm/commands.c vmm/command_options.c
PORTABLE += vmm/cmd_man.c vmm/cmd_completion.c vmm/inject_services.c vmm/machine_saved.c
PORTABLE += vmm/standin.c
PORTABLE += $(wildcard vmm/inspect*.c) vmm/cmd_inspect.c
ARM64 := $(filter-out $(PORTABLE),$(wildcard arch/arm64/*.c vmm/*.c))

# One short line a command; V=1 shows it whole.
V ?=
Q := $(if $(V),,@)
SAY = @$(if $(V),:,echo "  $(1) $@")

.DELETE_ON_ERROR:
.SUFFIXES:
all: $(BUILD)/vmm $(BUILD)/vmm.1

# --- the program ---------------------------------------------------------------------------------
TARGET_OBJ := $(patsubst %.c,$(BUILD)/arm64/%.o,$(PORTABLE) $(ARM64))
TARGET_FLAGS := $(BASE) $(CFLAGS) -isystem $(SYSROOT)/include \
	-ffunction-sections -fdata-sections \
	-fstack-protector-strong -fno-asynchronous-unwind-tables -fno-unwind-tables

$(BUILD)/vmm: $(TARGET_OBJ)
	$(call SAY,LINK)
	$(Q)$(TARGET_CC) -static -pthread -Wl,--gc-sections -o $@ $^ \
		-L$(SYSROOT)/lib -lfdt

$(BUILD)/arm64/%.o: %.c $(BUILD)/arm64/flags | $(SYSROOT)
	@mkdir -p $(@D)
	$(call SAY,CC)
	$(Q)$(TARGET_CC) $(TARGET_FLAGS) -c -o $@ $<

# Objects are made again when the compiler's flags have changed.
$(BUILD)/arm64/flags: FLAGS = $(TARGET_CC) $(TARGET_FLAGS)
$(BUILD)/native%/flags $(BUILD)/native/flags: FLAGS = $(HOST_CC) $(NATIVE_FLAGS)
%/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' >$@

# Made from the option table, by a native program: vmm itself may not run here.
MKMAN := $(addprefix $(BUILD)/native/,tests/mkman.o)
$(BUILD)/mkman: $(MKMAN) $(BUILD)/native/libportable.a
	$(Q)$(HOST_CC) -pthread -o $@ $^ -lfdt
$(BUILD)/vmm.1: $(BUILD)/mkman
	$(Q)$< > $@

$(SYSROOT):
	tests/sysroot $(SYSROOT)

install: all
	install -D -m 755 $(BUILD)/vmm $(DESTDIR)$(PREFIX)/bin/vmm
	install -D -m 644 $(BUILD)/vmm.1 $(DESTDIR)$(PREFIX)/share/man/man1/vmm.1

# --- native tests (T0) ---------------------------------------------------------------------------
SAN ?=
NATIVE := $(BUILD)/native$(addprefix -,$(SAN))
NATIVE_FLAGS := $(BASE) $(CFLAGS) $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer \
	-fno-sanitize-recover=all)
NATIVE_OBJ := $(patsubst %.c,$(NATIVE)/%.o,$(PORTABLE) $(wildcard tests/fake/*.c))
UNIT := $(patsubst tests/unit/%.c,$(NATIVE)/unit/%,$(wildcard tests/unit/*.c))

$(NATIVE)/%.o: %.c $(NATIVE)/flags
	@mkdir -p $(@D)
	$(call SAY,CC)
	$(Q)$(HOST_CC) $(NATIVE_FLAGS) -c -o $@ $<

$(NATIVE)/libportable.a: $(NATIVE_OBJ)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

$(NATIVE)/unit/%: $(NATIVE)/tests/unit/%.o $(NATIVE)/libportable.a
	@mkdir -p $(@D)
	$(call SAY,LINK)
	$(Q)$(HOST_CC) $(NATIVE_FLAGS) -o $@ $^ -lcheck_pic -lfdt -lsubunit -lrt -lm

-include tests/fuzz/fuzz.mk

unit: $(UNIT)
check-unit: $(UNIT)
	tests/run-unit $(UNIT)

# --- everything else -----------------------------------------------------------------------------
-include guest-images/images.mk
-include tests/guest/guest.mk
-include tests/kvm/kvm.mk
-include tests/boot/boot.mk
-include tests/bench/bench.mk

setup:
	tests/setup

check:
	tests/check
check-long:
	tests/check --long
bench: $(BUILD)/vmm images
	tests/bench/run $(BENCH)
demo:
	tests/demo

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

clean:
	rm -rf $(BUILD)/vmm $(BUILD)/vmm.1 $(BUILD)/arm64 $(BUILD)/native* $(BUILD)/guest $(BUILD)/t1

FORCE:
.PHONY: FORCE all install unit check-unit check check-long bench demo format clean setup images
.SECONDARY:
-include $(TARGET_OBJ:.o=.d) $(MKMAN:.o=.d) $(NATIVE_OBJ:.o=.d) $(patsubst %.c,$(NATIVE)/%.d,$(wildcard tests/unit/*.c))
