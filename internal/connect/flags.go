// Package connect finds the management server that a command uses, and connects to it. The server is that of
// --server (or CARILLON_SERVER) or --context, or else the carillon dev that runs in the project of the working
// directory, or else that of the current context, or else [DefaultServer].
package connect

import (
	"github.com/spf13/pflag"
)

// DefaultServer is the server where nothing names one.
const DefaultServer = "http://localhost:3510"

// Flags are the flags that select a server.
type Flags struct {
	Server, Context, TokenFile, CAFile string
}

// Add adds the flags to fs.
func (f *Flags) Add(fs *pflag.FlagSet) {
	fs.StringVar(&f.Server, "server", "", "management server, as `URL`, such as http://localhost:3510 (default: that of the running carillon dev of this project, or of the current context)")
	fs.StringVar(&f.Context, "context", "", "`name` of a context, which names a server; see carillon context list")
	fs.StringVar(&f.TokenFile, "token-file", "", "`file` with the token that the server requires")
	fs.StringVar(&f.CAFile, "server-ca-file", "", "`file` with the CA certificates of the server, in PEM (default: those of the system)")
}
