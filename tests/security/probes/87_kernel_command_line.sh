# Attack: read the host kernel's command line, which may hold secrets
# Source: proc(5), /proc/cmdline
# Profiles: basic docker
# Weakening: unmasked

cmdline=$(cat /proc/cmdline 2>/dev/null)
if [ -n "$cmdline" ]; then
    echo "WORKED /proc/cmdline: $cmdline"
    exit 1
fi
echo "HELD /proc/cmdline is empty"
