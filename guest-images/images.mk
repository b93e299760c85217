# SPDX-License-Identifier: GPL-2.0-only
#
# The guests' kernel, initramfs and root disk, from Debian's packages.

GUEST := $(BUILD)/guest

.PHONY: images
images: $(GUEST)/Image $(GUEST)/initrd.gz $(GUEST)/root.ext4

$(GUEST)/Image: guest-images/kernel
	$(call SAY,FETCH)
	$(Q)guest-images/kernel $(GUEST)/linux
	$(Q)cp $(GUEST)/linux/Image $@

$(GUEST)/initrd.gz: $(GUEST)/Image guest-images/initrd guest-images/initrd.modules guest-images/init
	$(call SAY,INITRD)
	$(Q)guest-images/initrd $(GUEST)/linux $@

$(GUEST)/root.ext4: $(wildcard guest-images/root*)
	$(call SAY,ROOT)
	$(Q)mkdir -p $(@D)
	$(Q)guest-images/root $@
