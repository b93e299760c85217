# SPDX-License-Identifier: GPL-2.0-only
# Programs that run on the arm64 host, against its real KVM: tests/kvm/NAME.c with all of vmm but
# its main() becomes $(BUILD)/kvm/NAME.

KVM_TESTS := $(patsubst tests/kvm/%.c,$(BUILD)/kvm/%,$(wildcard tests/kvm/*.c))

kvm-tests: $(KVM_TESTS)

$(BUILD)/kvm/%: $(BUILD)/arm64/tests/kvm/%.o $(filter-out %/vmm/main.o,$(TARGET_OBJ))
	@mkdir -p $(@D)
	$(call SAY,LINK)
	$(Q)$(TARGET_CC) -static -pthread -Wl,--gc-sections -o $@ $^ -L$(SYSROOT)/lib -lfdt

.PHONY: kvm-tests
-include $(wildcard $(BUILD)/arm64/tests/kvm/*.d)
