# Attack: learn the host's disks
# Source: sysfs(5), /sys/block
# Profiles: basic docker
# Weakening: unmasked

disks=$(ls /sys/block /sys/dev/block 2>/dev/null | grep -v : | grep -v '^$')
if [ -n "$disks" ]; then
    echo "WORKED" $disks
    exit 1
fi
echo "HELD no disk in sight"
