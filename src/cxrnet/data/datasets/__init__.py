"""Public collections of chest images, in the layouts of their owners, made into manifests."""
