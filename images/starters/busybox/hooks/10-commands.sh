# Each command is a name of the one program.
/bin/busybox --install -s /bin
