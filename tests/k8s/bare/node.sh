# shellcheck shell=bash disable=SC2154
# The parts of the cluster, each a process in its network namespace.

# start NAME COMMAND... : nsenter, as `ip netns exec` would hide /sys/fs/cgroup
start() {
    local name=$1
    shift
    setsid nsenter --net="/run/netns/$namespace" "$@" >"$state/log/$name.log" 2>&1 &
    echo $! >"$state/pids/$name"
}

# wait_for SECONDS NAME COMMAND... : until the command says yes; else the end of the log of that part
wait_for() {
    local seconds=$1 name=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        seconds=$((seconds - 1))
        if [ "$seconds" -lt 0 ]; then
            tail -n 5 "$state/log/$name.log" >&2
            say "$name did not come up; its log is $state/log/$name.log"
            exit 1
        fi
        sleep 1
    done
}

start_control_plane() {
    start etcd etcd --name bare --data-dir "$state/etcd" --log-level warn --logger zap \
        --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
        --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
        --initial-cluster bare=http://127.0.0.1:2380 --experimental-watch-progress-notify-interval=5s
    start apiserver "$programs/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 \
        --bind-address=0.0.0.0 --advertise-address="$node" --secure-port=6443 --client-ca-file="$certificates/ca.crt" \
        --tls-cert-file="$certificates/apiserver.crt" --tls-private-key-file="$certificates/apiserver.key" \
        --kubelet-client-certificate="$certificates/kubelet-client.crt" \
        --kubelet-client-key="$certificates/kubelet-client.key" \
        --kubelet-certificate-authority="$certificates/ca.crt" --kubelet-preferred-address-types=InternalIP \
        --service-account-issuer=https://kubernetes.default.svc \
        --service-account-key-file="$certificates/accounts.pub" \
        --service-account-signing-key-file="$certificates/accounts.key" \
        --service-cluster-ip-range="$services" --authorization-mode=Node,RBAC --allow-privileged=true
    wait_for 90 apiserver kubectl get --raw /readyz
    # with the rates that these come with a hundred pods take a minute
    local rates=(--kube-api-qps=500 --kube-api-burst=1000 --leader-elect=false --bind-address=127.0.0.1)
    start controller-manager "$programs/kube-controller-manager" "${rates[@]}" $(as controller-manager) \
        --service-account-private-key-file="$certificates/accounts.key" --root-ca-file="$certificates/ca.crt" \
        --use-service-account-credentials=true --allocate-node-cidrs=true --cluster-cidr=10.244.0.0/16 \
        --service-cluster-ip-range="$services" --concurrent-deployment-syncs=20 --concurrent-replicaset-syncs=20
    start scheduler "$programs/kube-scheduler" "${rates[@]}" $(as scheduler)
}

# who a part of the control plane is
as() {
    local file=$certificates/$1.kubeconfig
    echo "--kubeconfig=$file --authentication-kubeconfig=$file --authorization-kubeconfig=$file"
}

start_node() {
    write_container_settings
    start containerd containerd -c "$state/containerd.toml"
    wait_for 20 containerd ctr -a "$state/containerd.sock" version
    load "$home/pause.tar"
    write_kubelet_settings
    start kubelet "$programs/kubelet" --config="$state/kubelet.yaml" --kubeconfig="$certificates/node0.kubeconfig" \
        --root-dir="$state/kubelet" --cert-dir="$state/kubelet/pki" --hostname-override=node0 --node-ip="$node" \
        --container-runtime=remote --container-runtime-endpoint="unix://$state/containerd.sock"
    start proxy "$programs/kube-proxy" --kubeconfig="$certificates/proxy.kubeconfig" --hostname-override=node0 \
        --proxy-mode=iptables --cluster-cidr=10.244.0.0/16 --conntrack-max-per-core=0 \
        --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0 \
        --healthz-bind-address=127.0.0.1:10256 --metrics-bind-address=127.0.0.1:10249
    start names "${PYTHON:-$here/../../../.venv/bin/python}" "$here/names.py" "$KUBECONFIG" "$node" "$state/hosts"
    wait_for 90 kubelet node_is_ready
}

node_is_ready() { kubectl get node node0 --no-headers | grep -qw Ready; }

write_container_settings() {
    cat >"$state/cni/10.conflist" <<-JSON
	{"cniVersion": "0.4.0", "name": "pods", "plugins": [
	  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
	   "ipam": {"type": "host-local", "dataDir": "$state/ipam", "ranges": [[{"subnet": "$pods"}]],
	            "routes": [{"dst": "0.0.0.0/0"}]}},
	  {"type": "portmap", "capabilities": {"portMappings": true}}]}
	JSON
    # restrict_oom_score_adj: root of a virtual machine may lack the right to lower it
    cat >"$state/containerd.toml" <<-TOML
	version = 2
	root = "$state/containerd/root"
	state = "$state/containerd/state"
	[grpc]
	  address = "$state/containerd.sock"
	[plugins."io.containerd.internal.v1.opt"]
	  path = "$state/containerd/opt"
	[plugins."io.containerd.grpc.v1.cri"]
	  sandbox_image = "registry.local/pause:local"
	  restrict_oom_score_adj = true
	  disable_apparmor = true
	  [plugins."io.containerd.grpc.v1.cri".cni]
	    bin_dir = "/usr/lib/cni"
	    conf_dir = "$state/cni"
	  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
	    runtime_type = "io.containerd.runc.v2"
	TOML
}

write_kubelet_settings() {
    echo "nameserver 127.0.0.1" >"$state/resolv.conf"
    cat >"$state/kubelet.yaml" <<-YAML
	apiVersion: kubelet.config.k8s.io/v1beta1
	kind: KubeletConfiguration
	address: $node
	authentication:
	  anonymous: {enabled: false}
	  webhook: {enabled: true}
	  x509: {clientCAFile: $certificates/ca.crt}
	authorization: {mode: Webhook}
	tlsCertFile: $certificates/node0.crt
	tlsPrivateKeyFile: $certificates/node0.key
	cgroupDriver: cgroupfs
	failSwapOn: false
	clusterDomain: cluster.local
	clusterDNS: ["$node"]
	maxOpenFiles: 20000
	imageGCHighThresholdPercent: 100 # nobody could pull again what it removed from a full disk
	resolvConf: $state/resolv.conf
	evictionHard: {memory.available: "200Mi", nodefs.available: "2%", imagefs.available: "2%"}
	YAML
}
