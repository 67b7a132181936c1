# Attack: learn kernel addresses from kallsyms
# Source: proc(5), kernel.kptr_restrict
# Profiles: basic docker
# Weakening: rootful

while read -r address _ name _; do
    if [ -n "${address//0/}" ]; then
        echo "WORKED $name is at $address"
        exit 1
    fi
done < <(head -n 200 /proc/kallsyms 2>/dev/null)
echo "HELD every address is zero"
