"""Finding uploads that never settled: what a run of the sweep looks at, finds, and leaves for the next run."""
