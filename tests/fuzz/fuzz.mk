# SPDX-License-Identifier: GPL-2.0-only
# Fuzz targets, tests/fuzz/NAME.c: under clang `make fuzz` drives them by libFuzzer; the unit tests
# replay their corpora.
#   make fuzz [FUZZ=NAME] [FUZZ_TIME=60]   FUZZ_JOBS=1; finds go to $(BUILD)/fuzz/NAME.found

FUZZ_ALL := $(sort $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c)))
FUZZ ?= $(FUZZ_ALL)
FUZZ_TIME ?= 60
FUZZ_CC ?= clang
FUZZ_DIR := $(BUILD)/fuzz
FUZZ_FLAGS := $(filter-out -Werror,$(BASE)) -Wno-gnu-variable-sized-type-not-at-end -O1 -g -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_OBJ := $(patsubst %.c,$(FUZZ_DIR)/%.o,$(PORTABLE) $(wildcard tests/fake/*.c) tests/fuzz/lib/fuzz.c)

$(FUZZ_DIR)/%.o: %.c
	@mkdir -p $(@D)
	$(call SAY,CC)
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -c -o $@ $<

$(FUZZ_DIR)/libfuzzed.a: $(FUZZ_OBJ)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

$(FUZZ_DIR)/%: $(FUZZ_DIR)/tests/fuzz/%.o $(FUZZ_DIR)/libfuzzed.a
	$(call SAY,LINK)
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ -lcheck_pic -lfdt -lsubunit -lrt -lm

fuzz:
	tests/setup fuzz
	$(MAKE) $(addprefix $(FUZZ_DIR)/,$(FUZZ))
	tests/fuzz/run $(FUZZ_DIR) $(FUZZ_TIME) $(FUZZ)

$(NATIVE)/unit/fuzz_%: $(NATIVE)/tests/fuzz/%.o $(NATIVE)/tests/fuzz/lib/fuzz.o \
		$(NATIVE)/tests/fuzz/lib/replay.o $(NATIVE)/libportable.a
	@mkdir -p $(@D)
	$(call SAY,LINK)
	$(Q)$(HOST_CC) $(NATIVE_FLAGS) -o $@ $^ -lcheck_pic -lfdt -lsubunit -lrt -lm

UNIT += $(addprefix $(NATIVE)/unit/fuzz_,$(FUZZ_ALL))

.PHONY: fuzz
-include $(FUZZ_OBJ:.o=.d) $(patsubst %,$(FUZZ_DIR)/tests/fuzz/%.d,$(FUZZ_ALL)) \
	$(patsubst %,$(NATIVE)/tests/fuzz/%.d,$(FUZZ_ALL) lib/fuzz lib/replay)
