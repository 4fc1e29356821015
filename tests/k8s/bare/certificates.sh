# shellcheck shell=bash disable=SC2154
# The cluster's authority, a certificate for each of its parts, and what they need to find and believe each other.

make_certificates() {
    [ -f "$certificates/admin.kubeconfig" ] && return
    mkdir -p "$certificates"
    (
        cd "$certificates"
        openssl genrsa -out ca.key 2048 2>/dev/null
        openssl req -x509 -new -key ca.key -subj /CN=riskgrid-test -days 30 -out ca.crt
        certificate apiserver /CN=kube-apiserver \
            "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:localhost,IP:127.0.0.1,IP:10.96.0.1,IP:$node"
        certificate kubelet-client /O=system:masters/CN=kubelet-client
        certificate admin /O=system:masters/CN=admin
        certificate controller-manager /CN=system:kube-controller-manager
        certificate scheduler /CN=system:kube-scheduler
        certificate proxy /CN=system:kube-proxy
        certificate node0 /O=system:nodes/CN=system:node:node0 "DNS:node0,IP:$node"
        openssl genrsa -out accounts.key 2048 2>/dev/null # signs the tokens of service accounts
        openssl rsa -in accounts.key -pubout -out accounts.pub 2>/dev/null
        for name in controller-manager scheduler proxy node0 admin; do kubeconfig "$name"; done
    )
}

# certificate NAME SUBJECT [OTHER-NAMES]
certificate() {
    openssl genrsa -out "$1.key" 2048 2>/dev/null
    {
        echo "basicConstraints=CA:FALSE"
        echo "extendedKeyUsage=serverAuth,clientAuth"
        if [ -n "${3:-}" ]; then echo "subjectAltName=$3"; fi
    } >extensions
    openssl req -new -key "$1.key" -subj "$2" 2>/dev/null \
        | openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile extensions -out "$1.crt" 2>/dev/null
}

kubeconfig() {
    local file=$1.kubeconfig
    {
        kubectl config --kubeconfig="$file" set-cluster bare --server="https://$node:6443" \
            --certificate-authority=ca.crt --embed-certs
        kubectl config --kubeconfig="$file" set-credentials "$1" \
            --client-certificate="$1.crt" --client-key="$1.key" --embed-certs
        kubectl config --kubeconfig="$file" set-context bare --cluster=bare --user="$1"
        kubectl config --kubeconfig="$file" use-context bare
    } >/dev/null
}
