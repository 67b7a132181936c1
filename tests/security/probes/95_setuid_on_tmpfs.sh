# Attack: keep a setuid program in shared memory for a user of the host
# Source: mount(8), nosuid
# Profiles: basic docker
# Weakening: tmpfs

for place in /tmp /run /dev/shm /dev; do
    cp /usr/bin/id "$place/probe-id" 2>/dev/null || continue
    chmod 4755 "$place/probe-id"
    flags=$(findmnt -no OPTIONS "$place" 2>/dev/null || grep " $place " /proc/self/mounts)
    rm -f "$place/probe-id"
    case "$flags" in
        *nosuid*) ;;
        *) echo "WORKED $place: $flags"; exit 1 ;;
    esac
done
echo "HELD every tmpfs is nosuid"
