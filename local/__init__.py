"""The pipeline on this machine: the real CDK CLI deploys it to MiniStack, AWS in one local process."""
