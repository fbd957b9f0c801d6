"""Where clips are: manifests, reading audio, splits, and a synthetic corpus."""
