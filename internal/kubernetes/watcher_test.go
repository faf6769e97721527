package kubernetes_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/internal/identity/identitytest"
	"carillon/internal/kubernetes"
)

// An apiServer answers as Kubernetes does about namespaces: lists in pages, and watches that begin at a version.
type apiServer struct {
	*httptest.Server
	t       *testing.T
	changed *sync.Cond

	mu     sync.Mutex // guards the fields below
	names  []string
	events []string // by version, which counts from 1
	oldest int      // version that a watch may begin at
	cut    int      // counts up when all watches are to end
	token  string
	lists  int
}

func newAPIServer(t *testing.T, names ...string) *apiServer {
	t.Helper()
	s := &apiServer{t: t, names: names, token: "first"}
	s.changed = sync.NewCond(&s.mu)
	s.Server = httptest.NewTLSServer(http.HandlerFunc(s.answer))
	t.Cleanup(func() {
		s.end()
		s.Close()
	})
	return s
}

func (s *apiServer) answer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch q := r.URL.Query(); {
	case r.Header.Get("Authorization") != "Bearer "+s.token:
		http.Error(w, `{"message": "Unauthorized"}`, http.StatusUnauthorized)
	case r.URL.Path != "/api/v1/namespaces" || r.Method != http.MethodGet:
		http.Error(w, "what?", http.StatusNotFound)
	case q.Get("watch") != "":
		s.watch(w, r, q.Get("resourceVersion"))
	default:
		s.list(w, q.Get("continue"))
	}
}

// list answers with a page of two.
func (s *apiServer) list(w http.ResponseWriter, from string) {
	s.lists++
	at, _ := strconv.Atoi(from)
	end := min(at+2, len(s.names))
	page := map[string]any{"resourceVersion": strconv.Itoa(len(s.events))}
	if end < len(s.names) {
		page["continue"] = strconv.Itoa(end)
	}
	var items []any
	for _, name := range s.names[at:end] {
		items = append(items, map[string]any{"metadata": map[string]any{"name": name}})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"metadata": page, "items": items})
}

func (s *apiServer) watch(w http.ResponseWriter, r *http.Request, version string) {
	at, _ := strconv.Atoi(version)
	if at < s.oldest {
		fmt.Fprintln(w, `{"type":"ERROR","object":{"message":"too old resource version"}}`)
		return
	}
	defer context.AfterFunc(r.Context(), s.changed.Broadcast)()
	for cut := s.cut; cut == s.cut && r.Context().Err() == nil; s.changed.Wait() {
		for ; at < len(s.events); at++ {
			fmt.Fprintln(w, s.events[at])
		}
		w.(http.Flusher).Flush()
	}
}

// change adds or deletes a namespace, and tells the watches unless they have been cut.
func (s *apiServer) change(kind, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names = slices.DeleteFunc(slices.Clone(s.names), func(n string) bool { return n == name })
	if kind != "DELETED" {
		s.names = append(s.names, name)
	}
	s.events = append(s.events, fmt.Sprintf(`{"type":%q,"object":{"metadata":{"name":%q}}}`, kind, name))
	s.changed.Broadcast()
}

// end ends all watches.
func (s *apiServer) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut++
	s.changed.Broadcast()
}

// A told is what a watcher tells.
type told struct {
	t     *testing.T
	names chan string
	fail  chan error // what the next calls return
}

func (g *told) gone(_ context.Context, name string) error {
	select {
	case err := <-g.fail:
		return err
	default:
		g.names <- name
		return nil
	}
}

// want waits for names, in any order, and then for a moment that nothing else comes.
func (g *told) want(names ...string) {
	g.t.Helper()
	var got []string
	for range names {
		select {
		case name := <-g.names:
			got = append(got, name)
		case <-time.After(patience):
			g.t.Fatalf("%v are gone, want %v", got, names)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, names) {
		g.t.Errorf("%v are gone, want %v", got, names)
	}
	select {
	case name := <-g.names:
		g.t.Errorf("%s is gone, too", name)
	case <-time.After(20 * time.Millisecond):
	}
}

// follow runs a watcher of s until the test ends. It returns the name of the file with its token.
func (s *apiServer) follow(t *testing.T) (g *told, token string) {
	t.Helper()
	dir := t.TempDir()
	cfg := kubernetes.Config{
		Host: s.Listener.Addr().String(), TokenFile: filepath.Join(dir, "token"), CAFile: filepath.Join(dir, "ca.crt"),
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	for name, text := range map[string][]byte{cfg.TokenFile: []byte("first\n"), cfg.CAFile: ca} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	return watch(t, cfg, log), cfg.TokenFile
}

// watch runs a watcher until the test ends, and returns what it tells.
func watch(t *testing.T, cfg kubernetes.Config, log *slog.Logger) *told {
	t.Helper()
	g := &told{t: t, names: make(chan string, 100), fail: make(chan error, 100)}
	w := kubernetes.New(cfg, log)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx, g.gone) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return g
}

// listed waits until there have been so many requests for a page.
func (s *apiServer) listed(n int) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		lists := s.lists
		s.mu.Unlock()
		if lists >= n {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%d pages were asked for, want %d", lists, n)
		}
	}
}

func TestANamespaceThatIsDeletedIsTold(t *testing.T) {
	t.Parallel()
	s := newAPIServer(t, "default", "a", "b", "c", "default-foo")
	g, _ := s.follow(t)
	s.listed(3)
	s.change("DELETED", "a")
	g.want("a")
	s.change("ADDED", "new")
	s.change("MODIFIED", "new")
	g.want()
	s.change("DELETED", "new")
	s.change("DELETED", "default")
	g.want("default", "new")
}

func TestWhatIsDeletedWhileNobodyWatchesIsFoundByTheNextList(t *testing.T) {
	t.Parallel()
	s := newAPIServer(t, "a", "b", "c")
	g, _ := s.follow(t)
	s.listed(2)
	s.mu.Lock()
	s.names, s.oldest = []string{"a", "c"}, 1 // and no event tells
	s.mu.Unlock()
	s.end()
	g.want("b")
}

func TestATokenIsReadAnewAndRefusalsAreTriedAgain(t *testing.T) {
	t.Parallel()
	s := newAPIServer(t, "a", "b")
	g, token := s.follow(t)
	s.listed(1)
	s.mu.Lock()
	s.token = "second"
	s.mu.Unlock()
	s.end()
	if err := os.WriteFile(token, []byte("second"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.change("DELETED", "a")
	g.want("a")
}

func TestWhoeverCouldNotBeToldIsToldAgain(t *testing.T) {
	t.Parallel()
	s := newAPIServer(t, "a", "b")
	g, _ := s.follow(t)
	s.listed(1)
	g.fail <- errors.New("the disk says no")
	s.change("DELETED", "a")
	g.want("a")
}

func TestAnAPIServerHasToBeTheRightOne(t *testing.T) {
	t.Parallel()
	s := newAPIServer(t, "a")
	dir := t.TempDir()
	cfg := kubernetes.Config{Host: s.Listener.Addr().String(), TokenFile: filepath.Join(dir, "token"), CAFile: filepath.Join(dir, "ca.crt")}
	for name, text := range map[string][]byte{cfg.TokenFile: []byte("first"), cfg.CAFile: identitytest.NewAuthority(t).PEM()} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var text page
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- kubernetes.New(cfg, slog.New(slog.NewTextHandler(&text, nil))).Run(ctx, func(context.Context, string) error { return nil })
	}()
	text.want(t, "certificate", func() {})
	stop()
	if err := <-ended; err != nil || strings.Contains(text.String(), "first") {
		t.Errorf("%v, and the log: %s", err, text.String())
	}
	if s.lists > 0 {
		t.Error("it was asked")
	}
}
