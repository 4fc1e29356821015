# shellcheck shell=bash disable=SC2154
# Stopping the cluster, in the order in which its parts need each other, and what it leaves in the kernel.

down() {
    for name in kubelet proxy names; do stop "$name"; done
    local task networks
    networks=$(networks_of_pods)
    for task in $(timeout 20 ctr -a "$state/containerd.sock" -n k8s.io task ls -q 2>/dev/null || true); do
        timeout 10 ctr -a "$state/containerd.sock" -n k8s.io task rm -f "$task" >/dev/null 2>&1 || true
    done
    for name in containerd scheduler controller-manager apiserver etcd; do stop "$name"; done
    for mount in $(awk -v under="$state/" 'index($2, under) == 1 {print $2}' /proc/mounts | sort -r); do
        umount -l "$mount"
    done
    find /sys/fs/cgroup/*/kubepods -depth -type d -exec rmdir {} \; 2>/dev/null || true
    for network in $networks; do ip netns del "${network##*/}" 2>/dev/null || true; done
    remove_network
    if [ "${1:-}" = purge ]; then rm -rf "$state"; fi
    say "it is down"
}

# each pod's namespace, a file in /run/netns that outlives the pod's processes
networks_of_pods() {
    local run=(timeout 20 ctr -a "$state/containerd.sock" -n k8s.io containers) container
    for container in $("${run[@]}" ls -q 2>/dev/null || true); do
        "${run[@]}" info "$container" 2>/dev/null \
            | jq -r '.Spec.linux.namespaces[]? | select(.type == "network") | .path // empty' || true
    done | grep '/netns/cni-' | sort -u || true
}

# stop NAME : by its number alone, which is asked first and forced after ten seconds
stop() {
    local file=$state/pids/$1 number tries=40
    [ -f "$file" ] || return 0
    number=$(cat "$file")
    rm -f "$file"
    kill "$number" 2>/dev/null || return 0
    while [ "$tries" -gt 0 ] && runs "$number"; do
        tries=$((tries - 1))
        sleep 0.25
    done
    if runs "$number"; then kill -9 "$number" 2>/dev/null || true; fi
}

runs() { [ -d "/proc/$1" ] && ! grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null; }
