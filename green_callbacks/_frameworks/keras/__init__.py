"""The body of the callbacks for Keras 3."""
