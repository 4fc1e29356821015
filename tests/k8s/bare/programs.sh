# shellcheck shell=bash disable=SC2154
# Where the programs of the cluster come from: Debian's packages, and Kubernetes compiled from Debian's source package.

PACKAGES=(
    golang-1.19-go golang-github-modern-go-reflect2-dev dpkg-dev rsync jq patch make gcc libc6-dev # to compile it
    etcd-server containerd runc containernetworking-plugins iptables conntrack ethtool socat iproute2 dnsmasq-base
    openssl curl buildah debootstrap
)

packages() {
    local missing=()
    for name in "${PACKAGES[@]}"; do dpkg -s "$name" >/dev/null 2>&1 || missing+=("$name"); done
    [ ${#missing[@]} -eq 0 ] && return
    say "installing with apt-get: ${missing[*]}"
    apt-get update -q >/dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >/dev/null
}

build() {
    [ -x "$programs/kubelet" ] && return
    say "compiling Kubernetes 1.20.2 in $home: ten minutes, once on this machine"
    local apt=$home/apt work=$home/src
    mkdir -p "$apt/lists/partial" "$apt/parts" "$work" "$home/gohome" "$programs"
    # lists of sources in a folder of their own: the machine's stay as they are
    sed 's/^Types: deb$/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >"$apt/parts/source.sources"
    local get=(
        apt-get -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$apt/parts"
        -o Dir::State::lists="$apt/lists" -o APT::Sandbox::User=root
    )
    cd "$work"
    "${get[@]}" update -q >/dev/null
    "${get[@]}" source -q --download-only kubernetes >/dev/null
    rm -rf kubernetes && mkdir kubernetes
    tar -xzf kubernetes_*.orig.tar.gz -C kubernetes --strip-components=1
    tar -xJf kubernetes_*.debian.tar.xz
    cd kubernetes
    for fix in ../debian/patches/CVE*.patch; do
        if patch -p1 -N -s --dry-run <"$fix" >/dev/null; then patch -p1 -N -s <"$fix"; fi
    done
    # its own reflect2 1.0.1 ends with "fatal error: fault" under Go 1.18 and later; Debian's 1.0.2 does not
    rm -rf vendor/github.com/modern-go/reflect2
    cp -r /usr/share/gocode/src/github.com/modern-go/reflect2 vendor/github.com/modern-go/
    mkdir -p .go/src/k8s.io && ln -sfn ../../.. .go/src/k8s.io/kubernetes
    HOME=$home/gohome GOPATH=$PWD/.go PATH=/usr/lib/go-1.19/bin:$PATH CGO_ENABLED=0 GOFLAGS="" GOPROXY=off \
        KUBE_GIT_VERSION=v1.20.2 KUBE_GIT_MAJOR=1 KUBE_GIT_MINOR=20 KUBE_GIT_COMMIT=debian KUBE_GIT_TREE_STATE=clean \
        make WHAT="cmd/kube-apiserver cmd/kube-controller-manager cmd/kube-scheduler cmd/kubelet cmd/kube-proxy"
    cp _output/local/bin/linux/*/kube{-apiserver,-controller-manager,-scheduler,let,-proxy} "$programs"
    rm -rf "$work/kubernetes"
}

# the image that holds the namespaces of a pod: one program that waits
make_pause_image() {
    [ -f "$home/pause.tar" ] && return
    local folder=$home/pause
    rm -rf "$folder" && mkdir -p "$folder/layer"
    gcc -O2 -static -o "$folder/pause" "$here/pause.c"
    tar -C "$folder" -cf "$folder/layer/layer.tar" pause
    local digest architecture
    digest=$(sha256sum "$folder/layer/layer.tar" | cut -d ' ' -f 1)
    architecture=$(dpkg --print-architecture)
    cat >"$folder/config.json" <<-JSON
	{"architecture": "$architecture", "os": "linux", "config": {"Entrypoint": ["/pause"]},
	 "rootfs": {"type": "layers", "diff_ids": ["sha256:$digest"]}}
	JSON
    cat >"$folder/manifest.json" <<-JSON
	[{"Config": "config.json", "RepoTags": ["registry.local/pause:local"], "Layers": ["layer/layer.tar"]}]
	JSON
    tar -C "$folder" -cf "$home/pause.tar" manifest.json config.json layer
    rm -rf "$folder"
}
