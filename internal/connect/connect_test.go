package connect

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"carillon/internal/identity/identitytest"
	"carillon/internal/terminal"
	"carillon/internal/terminal/terminaltest"
)

// person returns the streams of a person whose file of contexts is in a new directory, and its path.
func person(t *testing.T) (s *terminal.Streams, path string) {
	t.Helper()
	s, _, _ = terminaltest.Streams()
	dir := t.TempDir()
	s.Env = func(name string) (string, bool) { return dir, name == "XDG_CONFIG_HOME" }
	path, err := ContextsPath(s.Env)
	if err != nil {
		t.Fatal(err)
	}
	return s, path
}

// project returns a directory within a project whose carillon dev runs, or was killed.
func project(t *testing.T, runs bool) string {
	t.Helper()
	root := t.TempDir()
	within := filepath.Join(root, "cmd", "app")
	for _, dir := range []string{within, filepath.Join(root, ProjectDir)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// A PID that is taken again.
	dir, dev := filepath.Join(root, ProjectDir), Dev{Server: "http://localhost:7", PID: os.Getpid()}
	if !runs {
		text, err := json.Marshal(dev)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, devFile), text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return within
	}
	remove, err := WriteDev(dir, dev)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := remove(); err != nil {
			t.Error(err)
		}
	})
	return within
}

func TestServerIsFoundInOrder(t *testing.T) {
	s, path := person(t)
	all := &Contexts{}
	for _, c := range []Context{{Name: "staging", Server: "https://staging.example"}, {Name: "prod", Server: "https://prod.example:1", TokenFile: "token"}} {
		if err := all.Add(c); err != nil {
			t.Fatal(err)
		}
	}
	if err := all.Write(path); err != nil {
		t.Fatal(err)
	}
	unset, _, _ := terminaltest.Streams()
	here, stale, nowhere := project(t, true), project(t, false), t.TempDir()
	for name, c := range map[string]struct {
		flags Flags
		s     *terminal.Streams
		dir   string
		want  string
	}{
		"flag":               {Flags{Server: "http://127.0.0.1:1"}, s, here, "127.0.0.1:1"},
		"context flag":       {Flags{Context: "prod"}, s, here, "prod.example:1"},
		"running dev":        {Flags{}, s, here, "localhost:7"},
		"dev that ended":     {Flags{}, s, stale, "staging.example:3510"},
		"current context":    {Flags{}, s, nowhere, "staging.example:3510"},
		"no server is named": {Flags{}, unset, nowhere, "localhost:3510"},
	} {
		if got, err := Find(c.flags, c.s, c.dir); err != nil || got.Address != c.want {
			t.Errorf("%s: %+v, %v, want %s", name, got, err, c.want)
		}
	}
	if got, err := Find(Flags{Context: "prod"}, s, nowhere); err != nil || got.Flags.TokenFile != "token" || !got.TLS {
		t.Errorf("prod: %+v, %v", got, err)
	}
	for want, f := range map[string]Flags{
		"did you mean prod?":                  {Context: "prd"},
		"is not a URL":                        {Server: "localhost:3510"},
		"has more than a protocol":            {Server: "http://localhost:3510/v1"},
		"would send the token in plaintext":   {Server: "http://10.0.0.1:3510", TokenFile: "token"},
		"--server and --context name two":     {Server: "http://localhost:1", Context: "prod"},
		"no context has the name \"nowhere\"": {Context: "nowhere"},
	} {
		if _, err := Find(f, s, nowhere); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", f, err, want)
		}
	}
}

func TestDevRemovesOnlyItsOwnFile(t *testing.T) {
	dir := t.TempDir()
	remove, err := WriteDev(dir, Dev{Server: DefaultServer, PID: os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	removeNewer, err := WriteDev(dir, Dev{Server: DefaultServer, PID: os.Getpid() + 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, devFile)); err != nil {
		t.Errorf("the file of another carillon dev is gone: %v", err)
	}
	if err := removeNewer(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, devFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
}

func TestContextsSurviveTheirFile(t *testing.T) {
	_, path := person(t)
	all := &Contexts{}
	for _, name := range []string{"a", "b"} {
		if err := all.Add(Context{Name: name, Server: "http://localhost:1"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := all.Add(Context{Name: "a", Server: "http://localhost:1"}); err == nil {
		t.Error("a name was taken twice")
	}
	if err := errors.Join(all.Use("b"), all.Delete("a"), all.Write(path)); err != nil {
		t.Fatal(err)
	}
	read, err := ReadContexts(path)
	if err != nil || read.Current != "b" || len(read.All) != 1 || read.All[0].Name != "b" {
		t.Errorf("read %+v, %v", read, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("contxts: []"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadContexts(path); err == nil || !strings.Contains(err.Error(), "correct the file") {
		t.Errorf("a misspelt file: %v", err)
	}
}

// serve runs a fake server that answers health checks, and sends the authorization of each to seen.
func serve(t *testing.T, options ...grpc.ServerOption) (address string, seen chan []string) {
	t.Helper()
	seen = make(chan []string, 1)
	options = append(options, grpc.UnaryInterceptor(
		func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			md, _ := metadata.FromIncomingContext(ctx)
			seen <- md.Get("authorization")
			return handle(ctx, req)
		}))
	server := grpc.NewServer(options...)
	healthv1.RegisterHealthServer(server, health.NewServer())
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return l.Addr().String(), seen
}

// check calls the server that the flags name.
func check(t *testing.T, f Flags) error {
	t.Helper()
	s, _ := person(t)
	target, err := Find(f, s, t.TempDir())
	if err != nil {
		return err
	}
	conn, err := target.Dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
	return err
}

func TestCallsCarryTheTokenOfTheFile(t *testing.T) {
	address, seen := serve(t)
	file := filepath.Join(t.TempDir(), "token")
	for _, token := range []string{"old", "new"} { // the file is read for each call
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := check(t, Flags{Server: "http://" + address, TokenFile: file}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(<-seen, "|"); got != "Bearer "+token {
			t.Errorf("the server got %q", got)
		}
	}
	if err := check(t, Flags{Server: "http://" + address}); err != nil || len(<-seen) > 0 {
		t.Errorf("without a file: %v", err)
	}
	if err := check(t, Flags{Server: "http://" + address, TokenFile: "no/file"}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without the file: %v", err)
	}
}

func TestServerOverTLSIsVerified(t *testing.T) {
	ca := identitytest.NewAuthority(t).For(net.IPv4(127, 0, 0, 1))
	cert, key, anchors := ca.Write(t, "spiffe://localhost/ns/default/carillon", time.Hour)
	secure, err := credentials.NewServerTLSFromFile(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	address, seen := serve(t, grpc.Creds(secure))
	if err := check(t, Flags{Server: "https://" + address, CAFile: anchors}); err != nil || len(<-seen) > 0 {
		t.Errorf("with the authority of the server: %v", err)
	}
	if err := check(t, Flags{Server: "https://" + address}); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("with the authorities of the system: %v", err)
	}
	if err := check(t, Flags{Server: "https://" + address, CAFile: "no/file"}); err == nil || !strings.Contains(err.Error(), "--server-ca-file") {
		t.Errorf("without a file: %v", err)
	}
	_, port, _ := net.SplitHostPort(address)
	if err := check(t, Flags{Server: "https://localhost:" + port, CAFile: anchors}); status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("by a name that is not in the certificate: %v", err)
	}
}

func TestUnreachableServerIsNamed(t *testing.T) {
	err := check(t, Flags{Server: "http://127.0.0.1:1"})
	if err == nil || !strings.Contains(err.Error(), "no management server answers at http://127.0.0.1:1 (--server)") || !strings.Contains(err.Error(), "start carillon dev") {
		t.Errorf("%v", err)
	}
}
