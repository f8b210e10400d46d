"""The monitor that GREEN_CALLBACKS=1 adds to a trainer of Lightning."""
