"""Public collections of chest films, in the layouts of their owners, made into manifests."""
