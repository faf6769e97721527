package connect

import (
	"cmp"
	"fmt"

	"carillon/internal/exit"
	"carillon/internal/terminal"
)

// Endpoint is the server that a command uses.
type Endpoint struct {
	Address string // host:port
	TLS     bool
	Flags   Flags  // the server, and the files for it
	Source  string // what named the server, for messages
}

// Find returns the server of the flags for a command in a working directory.
func Find(f Flags, s *terminal.Streams, dir string) (Endpoint, error) {
	named, source, err := choose(f, s, dir)
	if err != nil {
		return Endpoint{}, err
	}
	f.Server, f.TokenFile, f.CAFile = named.Server, cmp.Or(f.TokenFile, named.TokenFile), cmp.Or(f.CAFile, named.CAFile)
	u, err := parseServer(f.Server)
	if err != nil {
		return Endpoint{}, fmt.Errorf("%s: %w", source, err)
	}
	t := Endpoint{Address: u.Host, TLS: u.Scheme == "https", Flags: f, Source: source}
	if f.TokenFile != "" && !t.TLS && !loopback(u.Hostname()) {
		return Endpoint{}, fmt.Errorf("%s: %s would send the token in plaintext to another host: use https", source, f.Server)
	}
	return t, nil
}

// choose returns the context to use, and what named it.
func choose(f Flags, s *terminal.Streams, dir string) (Context, string, error) {
	if f.Server != "" && f.Context != "" {
		return Context{}, "", exit.Usagef("--server and --context name two servers: give one, and unset CARILLON_SERVER or CARILLON_CONTEXT if it is the other")
	}
	if f.Server != "" {
		return Context{Server: f.Server}, "--server", nil
	}
	if f.Context == "" {
		if d, path, found := findDev(dir); found {
			return Context{Server: d.Server}, fmt.Sprintf("carillon dev with PID %d, by %s", d.PID, path), nil
		}
	}
	path, err := ContextsPath(s.Env)
	if err != nil && f.Context != "" {
		return Context{}, "", err
	}
	all := &Contexts{}
	if err == nil {
		if all, err = ReadContexts(path); err != nil {
			return Context{}, "", err
		}
	}
	name := cmp.Or(f.Context, all.Current)
	if name == "" {
		return Context{Server: DefaultServer}, "the default server", nil
	}
	c, err := all.Find(name)
	return c, "the context " + name, err
}
