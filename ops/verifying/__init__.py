"""Does the deployment do here what is promised? Checks in the account itself, with files that are forgotten again."""
