# Attack: see processes of the host and of neighbours
# Source: pid_namespaces(7)
# Profiles: basic docker
# Weakening: rootful hostpid

own=$(readlink /proc/self/ns/mnt)
for entry in /proc/[0-9]*; do
    space=$(readlink "$entry/ns/mnt" 2>/dev/null) || continue
    if [ "$space" != "$own" ]; then
        echo "WORKED ${entry#/proc/} is in $space"
        exit 1
    fi
done
echo "HELD $(ls -d /proc/[0-9]* | wc -l) processes, all of this sandbox"
