"""The body of the callbacks for Lightning, the same for both import roots."""
