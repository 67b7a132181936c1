"""Any process of ours may be killed at any moment: what the kernel lets live lives on, the rest ends with a reason, nothing stays."""
