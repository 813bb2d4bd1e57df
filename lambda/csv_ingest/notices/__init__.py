"""Who is told what became of a file: an event on EventBridge, a mail, a file for the sender."""
