package membercmd

import (
	"github.com/spf13/pflag"
)

// addEtcdFlag adds the flag with the address of etcd, which sets p.
func addEtcdFlag(fs *pflag.FlagSet, p *string) {
	fs.StringVar(p, "etcd", "http://localhost:2379", "`address` of this machine's etcd: --etcd-client-listen-address and --etcd-client-port of its scheduler")
}
