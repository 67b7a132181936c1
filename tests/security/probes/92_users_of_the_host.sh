# Attack: share user ids with the host or a neighbour
# Source: user_namespaces(7), /proc/pid/uid_map
# Profiles: basic docker
# Weakening: rootful

read -r inside outside size < /proc/self/uid_map
if [ "$outside" -lt 1879048192 ] || [ "$size" -ne 65536 ] || [ "$inside" -ne 0 ]; then
    echo "WORKED uid_map: $inside $outside $size"
    exit 1
fi
echo "HELD uid_map: $inside $outside $size"
