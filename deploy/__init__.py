"""From a clean clone to a running site: set-up, the supervisor, and the files of a production installation."""
