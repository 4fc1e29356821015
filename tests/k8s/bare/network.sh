# shellcheck shell=bash disable=SC2154
# The network of the cluster: a namespace with one address behind a bridge, and routes to its pods and services.

make_network() {
    # the kubelet sets these for the whole machine; they are put back when the cluster goes
    if [ ! -f "$state/sysctl" ]; then
        sysctl net.ipv4.ip_forward vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops \
            kernel.keys.root_maxkeys kernel.keys.root_maxbytes >"$state/sysctl" 2>/dev/null || true
    fi
    sysctl -qw net.ipv4.ip_forward=1
    if ! ip link show "$bridge" >/dev/null 2>&1; then
        ip link add "$bridge" type bridge
        ip addr add "$gateway/24" dev "$bridge"
        ip link set "$bridge" up
    fi
    if [ ! -e "/run/netns/$namespace" ]; then
        ip netns add "$namespace"
        ip link add riskgrid1 type veth peer name eth0 netns "$namespace"
        ip link set riskgrid1 master "$bridge" up
        ip -n "$namespace" link set lo up
        ip -n "$namespace" addr add "$node/24" dev eth0
        ip -n "$namespace" link set eth0 up
        ip -n "$namespace" route add default via "$gateway"
    fi
    ip netns exec "$namespace" sysctl -qw net.ipv4.ip_forward=1
    ip route replace "$pods" via "$node" dev "$bridge"
    ip route replace "$services" via "$node" dev "$bridge"
}

remove_network() {
    ip netns del "$namespace" 2>/dev/null || true
    ip link del riskgrid1 2>/dev/null || true
    ip link del "$bridge" 2>/dev/null || true
    if [ -f "$state/sysctl" ]; then
        sysctl -q -p "$state/sysctl" || true
        rm -f "$state/sysctl"
    fi
}
