"""The accelerators that this process uses, and the reasons why an accelerator is not measured."""
