package kubernetes_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"carillon/internal/identity/identitytest"
	"carillon/internal/kubernetes"
	"carillon/internal/memnet"
)

// pageOf is how many namespaces a page of a list has.
const pageOf = 3

// An apiServer answers as Kubernetes does about namespaces: lists in pages, and watches that begin at a version.
type apiServer struct {
	*httptest.Server
	t       *testing.T
	changed *sync.Cond

	mu     sync.Mutex // guards the fields below
	names  []string
	events []string // by version, which counts from 1
	oldest int      // version that a watch may begin at
	gone   string   // how one is told that begins at an older one: "event", or "status"
	cut    int      // counts up when all watches are to end
	brief  bool     // each watch ends at once
	token  string
	// Answers in place of the server if it returns true; may be nil.
	lie    func(w http.ResponseWriter, q url.Values) bool
	lists  int      // pages that were asked for
	starts []string // versions at which watches were to begin
}

func newAPIServer(t *testing.T, names ...string) *apiServer {
	t.Helper()
	return serve(t, httptest.NewUnstartedServer(nil), names)
}

// serve starts a server that answers for these namespaces, and default, which every cluster has.
func serve(t *testing.T, on *httptest.Server, names []string) *apiServer {
	t.Helper()
	if !slices.Contains(names, "default") {
		names = append([]string{"default"}, names...)
	}
	s := &apiServer{Server: on, t: t, names: names, gone: "event", token: "first"}
	s.changed = sync.NewCond(&s.mu)
	s.Config.Handler = http.HandlerFunc(s.answer)
	s.StartTLS()
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
	case q.Get("watch") == "true":
		s.watch(w, r, q.Get("resourceVersion"))
	default:
		s.list(w, q)
	}
}

// list answers with a page of three.
func (s *apiServer) list(w http.ResponseWriter, q url.Values) {
	s.lists++
	if s.lie != nil && s.lie(w, q) {
		return
	}
	from := q.Get("continue")
	at, _ := strconv.Atoi(from)
	end := min(at+pageOf, len(s.names))
	page := map[string]any{"resourceVersion": strconv.Itoa(len(s.events))}
	if end < len(s.names) {
		page["continue"] = strconv.Itoa(end)
	}
	var items []any
	for _, name := range s.names[at:end] {
		items = append(items, map[string]any{"metadata": map[string]any{"name": name}})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"kind": "NamespaceList", "apiVersion": "v1", "metadata": page, "items": items})
}

func (s *apiServer) watch(w http.ResponseWriter, r *http.Request, version string) {
	s.starts = append(s.starts, version)
	if s.lie != nil && s.lie(w, r.URL.Query()) {
		return
	}
	at, _ := strconv.Atoi(version)
	switch {
	case at < s.oldest && s.gone == "status":
		http.Error(w, `{"kind":"Status","code":410,"reason":"Expired"}`, http.StatusGone)
		return
	case at < s.oldest:
		fmt.Fprintln(w, `{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old resource version"}}`)
		return
	}
	defer context.AfterFunc(r.Context(), s.changed.Broadcast)()
	for cut := s.cut; cut == s.cut && r.Context().Err() == nil; s.changed.Wait() {
		for ; at < len(s.events); at++ {
			fmt.Fprintln(w, s.events[at])
		}
		w.(http.Flusher).Flush()
		if s.brief && len(s.starts) < 1000 { // or a storm would never end
			return
		}
	}
}

// change adds or deletes a namespace, and tells the watches unless they have been cut.
func (s *apiServer) change(kind, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.happens(kind, name)
	s.changed.Broadcast()
}

// happens is change without an event to the watches. s.mu is held.
func (s *apiServer) happens(kind, name string) {
	s.names = slices.DeleteFunc(slices.Clone(s.names), func(n string) bool { return n == name })
	if kind != "DELETED" {
		s.names = append(s.names, name)
	}
	s.events = append(s.events, fmt.Sprintf(`{"type":%q,"object":{"kind":"Namespace","apiVersion":"v1","metadata":{"name":%q,"resourceVersion":"%d"}}}`, kind, name, len(s.events)+1))
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
	log   page
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
	return s.followAt(t, s.Listener.Addr().String(), nil)
}

func (s *apiServer) followAt(t *testing.T, host string, dial func(context.Context, string, string) (net.Conn, error)) (g *told, token string) {
	t.Helper()
	dir := t.TempDir()
	cfg := kubernetes.Config{
		Host: host, Dial: dial, TokenFile: filepath.Join(dir, "token"), CAFile: filepath.Join(dir, "ca.crt"),
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	for name, text := range map[string][]byte{cfg.TokenFile: []byte("first\n"), cfg.CAFile: ca} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return watch(t, cfg), cfg.TokenFile
}

// watch runs a watcher until the test ends, and returns what it tells.
func watch(t *testing.T, cfg kubernetes.Config) *told {
	t.Helper()
	g := &told{t: t, names: make(chan string, 100), fail: make(chan error, 100)}
	w := kubernetes.New(cfg, slog.New(slog.NewTextHandler(io.MultiWriter(&g.log, t.Output()), &slog.HandlerOptions{Level: slog.LevelDebug})))
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

// watched waits until so many watches have begun.
func (s *apiServer) watched(n int) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		watches := len(s.starts)
		s.mu.Unlock()
		if watches >= n {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%d watches have begun, want %d", watches, n)
		}
	}
}

func TestDeletedNamespaceIsReported(t *testing.T) {
	t.Parallel()
	s := newAPIServer(t, "default", "a", "b", "c", "default-foo")
	g, _ := s.follow(t)
	s.listed(2)
	s.change("DELETED", "a")
	g.want("a")
	g.log.want(t, `level=INFO msg="a namespace of Kubernetes is gone: all its jobs were deleted" component=kubernetes namespace=a`, func() {})
	s.change("ADDED", "new")
	s.change("MODIFIED", "new")
	g.want()
	s.change("DELETED", "new")
	s.change("DELETED", "c")
	g.want("c", "new")
}

func TestListFindsNamespaceDeletedWithoutWatch(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"event", "status"} {
		s := newAPIServer(t, "a", "b", "c")
		g, _ := s.follow(t)
		s.listed(2)
		s.mu.Lock()
		s.names, s.oldest, s.gone = []string{"default", "a", "c"}, 1, how // and no event tells
		s.events = append(s.events, `{"type":"DELETED"}`)
		s.mu.Unlock()
		s.end()
		g.want("b")
	}
}

// A list would show nothing: the namespace is there again.
func TestNamespaceReplacedBetweenWatchesIsReported(t *testing.T) {
	t.Parallel()
	s := newAPIServer(t, "a", "b")
	g, _ := s.follow(t)
	s.watched(1)
	s.mu.Lock()
	s.cut++
	s.happens("DELETED", "a")
	s.happens("ADDED", "a")
	s.changed.Broadcast()
	s.mu.Unlock()
	g.want("a")
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lists != 1 {
		t.Errorf("%d pages were asked for, want one", s.lists)
	}
}

func TestBookmarkAdvancesResourceVersion(t *testing.T) {
	t.Parallel()
	s := newAPIServer(t, "a")
	g, _ := s.follow(t)
	s.watched(1)
	s.mu.Lock()
	s.events = append(s.events, "", "", `{"type":"BOOKMARK","object":{"kind":"Namespace","apiVersion":"v1","metadata":{"resourceVersion":"3"}}}`)
	s.events[0], s.events[1] = s.events[2], s.events[2]
	s.changed.Broadcast()
	s.mu.Unlock()
	g.want()
	s.end()
	s.watched(2)
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.starts[1]; got != "3" || s.lists != 1 {
		t.Errorf("the second watch begins at %s, after %d lists; want 3, after one", got, s.lists)
	}
}

// inFakeTime runs a test of a server in memory, and a watcher of it.
func inFakeTime(t *testing.T, test func(t *testing.T, s *apiServer, g *told)) {
	synctest.Test(t, func(t *testing.T) {
		l := memnet.Listen()
		s := serve(t, &httptest.Server{Listener: l, Config: new(http.Server)}, []string{"a", "b"})
		g, _ := s.followAt(t, "example.com:443", func(ctx context.Context, _, _ string) (net.Conn, error) { return l.DialContext(ctx) })
		test(t, s, g)
	})
}

func TestShortWatchesBackOff(t *testing.T) {
	inFakeTime(t, func(t *testing.T, s *apiServer, g *told) {
		s.mu.Lock()
		s.brief = true
		s.mu.Unlock()
		time.Sleep(time.Hour)
		s.mu.Lock()
		watches := len(s.starts)
		s.brief = false
		s.mu.Unlock()
		if least := int(time.Hour / (30 * time.Second)); watches < least || watches > 2*least+10 {
			t.Errorf("%d watches in an hour, want one in 15 to 30 s", watches)
		}
		s.change("DELETED", "a")
		select {
		case name := <-g.names:
			if name != "a" {
				t.Errorf("%s is gone, want a", name)
			}
		case <-time.After(31 * time.Second):
			t.Error("nobody was told")
		}
	})
}

func TestEndedWatchIsRestartedAtOnce(t *testing.T) {
	inFakeTime(t, func(t *testing.T, s *apiServer, _ *told) {
		for n := range 5 {
			time.Sleep(5 * time.Minute)
			s.end()
			synctest.Wait()
			s.mu.Lock()
			if len(s.starts) != n+2 || s.lists != 1 {
				t.Errorf("after %d ends there were %d watches and %d lists, want one more, and one", n+1, len(s.starts), s.lists)
			}
			s.mu.Unlock()
		}
	})
}

func TestExpiredResourceVersionsBackOff(t *testing.T) {
	inFakeTime(t, func(t *testing.T, s *apiServer, _ *told) {
		s.mu.Lock()
		s.oldest = 1 << 30
		s.mu.Unlock()
		s.end()
		time.Sleep(time.Hour)
		s.mu.Lock()
		defer s.mu.Unlock()
		if least := int(time.Hour / (30 * time.Second)); s.lists < least || s.lists > 2*least+10 {
			t.Errorf("%d lists in an hour, want one in 15 to 30 s", s.lists)
		}
	})
}

func TestFailedWatchIsRetriedWithinASecond(t *testing.T) {
	inFakeTime(t, func(t *testing.T, s *apiServer, _ *told) {
		time.Sleep(time.Minute)
		s.mu.Lock()
		s.token = "second" // the watcher has the first
		s.cut++
		s.changed.Broadcast()
		s.mu.Unlock()
		synctest.Wait()
		s.mu.Lock()
		s.token = "first"
		s.mu.Unlock()
		time.Sleep(time.Second)
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.starts) != 2 || s.lists != 1 {
			t.Errorf("%d watches and %d lists, want a second watch", len(s.starts), s.lists)
		}
	})
}

// With a watch that lasts for a few seconds all is well again.
func TestBackoffResetsAfterALongWatch(t *testing.T) {
	inFakeTime(t, func(t *testing.T, s *apiServer, _ *told) {
		s.mu.Lock()
		s.brief = true
		s.mu.Unlock()
		time.Sleep(10 * time.Minute)
		s.mu.Lock()
		s.brief = false
		before := len(s.starts)
		s.mu.Unlock()
		for s.begun() == before {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(6 * time.Second)
		s.end()
		synctest.Wait()
		if got := s.begun() - before; got != 2 {
			t.Errorf("%d watches have begun, want a second one at once", got)
		}
	})
}

// begun returns how many watches have begun.
func (s *apiServer) begun() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.starts)
}

// lies has the server answer with f from now on; all watches end.
func (s *apiServer) lies(f func(w http.ResponseWriter, q url.Values) bool) {
	s.mu.Lock()
	s.lie = f
	s.mu.Unlock()
	s.end()
}

// ofWatches returns an answer to watches alone.
func ofWatches(f func(w http.ResponseWriter)) func(http.ResponseWriter, url.Values) bool {
	return func(w http.ResponseWriter, q url.Values) bool {
		if q.Get("watch") == "" {
			return false
		}
		f(w)
		return true
	}
}

func TestFailingWatchIsLoggedOnce(t *testing.T) {
	for want, lie := range map[string]func(w http.ResponseWriter){
		"404 Not Found":                    func(w http.ResponseWriter) { http.Error(w, "<html>", http.StatusNotFound) },
		"an event is not JSON":             func(w http.ResponseWriter) { fmt.Fprintln(w, "<html>") },
		"an event is larger than":          func(w http.ResponseWriter) { fmt.Fprintln(w, strings.Repeat(" ", 4<<20)) },
		"410 Gone":                         func(w http.ResponseWriter) { http.Error(w, "expired", http.StatusGone) },
		"the API server ended it after 0s": func(http.ResponseWriter) {},
		"too old": func(w http.ResponseWriter) {
			fmt.Fprintln(w, `{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old"}}`)
		},
	} {
		t.Run(want, func(t *testing.T) {
			inFakeTime(t, func(t *testing.T, s *apiServer, g *told) {
				time.Sleep(time.Minute)
				s.lies(ofWatches(lie))
				time.Sleep(10 * time.Minute)
				var warnings []string
				for line := range strings.Lines(g.log.String()) {
					if strings.Contains(line, "level=WARN") {
						warnings = append(warnings, line)
					}
				}
				if len(warnings) != 1 || !strings.Contains(warnings[0], want) || !strings.Contains(g.log.String(), "level=DEBUG") {
					t.Errorf("the warnings are %q, want one of %q", warnings, want)
				}
			})
		})
	}
}

func TestExpiryOfWorkingWatchIsNotLogged(t *testing.T) {
	inFakeTime(t, func(t *testing.T, s *apiServer, g *told) {
		for n := range 3 {
			time.Sleep(time.Minute)
			s.lies(ofWatches(func(w http.ResponseWriter) {
				s.lie = nil // s.mu is held
				http.Error(w, "expired", http.StatusGone)
			}))
			time.Sleep(time.Minute)
			s.mu.Lock()
			if s.lists != n+2 || strings.Contains(g.log.String(), "cannot follow") {
				t.Errorf("after %d lists the log says: %s", s.lists, &g.log)
			}
			s.mu.Unlock()
		}
	})
}

// What is no list says nothing about which namespaces there are.
func TestMalformedListDeletesNothing(t *testing.T) {
	first := `{"kind":"NamespaceList","metadata":{"resourceVersion":"9","continue":"x"},"items":[{"metadata":{"name":"default"}}]}`
	for name, c := range map[string]struct{ answer, next, want string }{
		"an empty object":     {"{}", "", `has the kind \"\"`},
		"a proxy's":           {`{"status":"ok"}`, "", `has the kind \"\"`},
		"null":                {"null", "", `has the kind \"\"`},
		"an array":            {"[]", "", "cannot unmarshal array"},
		"HTML":                {"<html>", "", "invalid character"},
		"nothing":             {" ", "", "EOF"},
		"a Status":            {`{"kind":"Status","metadata":{"resourceVersion":"9"},"status":"Failure"}`, "", `has the kind \"Status\"`},
		"another list":        {`{"kind":"PodList","metadata":{"resourceVersion":"9"},"items":[{"metadata":{"name":"default"}}]}`, "", `has the kind \"PodList\"`},
		"no version":          {`{"kind":"NamespaceList","metadata":{},"items":[{"metadata":{"name":"default"}}]}`, "", "no resourceVersion"},
		"an empty list":       {`{"kind":"NamespaceList","metadata":{"resourceVersion":"9"},"items":[]}`, "", "lacks the namespace default"},
		"some of the list":    {`{"kind":"NamespaceList","metadata":{"resourceVersion":"9"},"items":[{"metadata":{"name":"a"}}]}`, "", "lacks the namespace default"},
		"items without names": {`{"kind":"NamespaceList","metadata":{"resourceVersion":"9"},"items":[{"metadata":{"name":"default"}},{}]}`, "", "without a name"},
		"half a page":         {first[:len(first)/2], "", "unexpected EOF"},
		"half a second page":  {first, first[:len(first)/2], "unexpected EOF"},
		"no second page":      {first, "{}", `has the kind \"\"`},
		"a second page without a version": {
			first, `{"kind":"NamespaceList","metadata":{},"items":[{"metadata":{"name":"a"}}]}`, "no resourceVersion",
		},
		"a second page that is expired": {first, "", "410 Gone"},
	} {
		t.Run(name, func(t *testing.T) {
			inFakeTime(t, func(t *testing.T, s *apiServer, g *told) {
				time.Sleep(time.Minute)
				s.lies(func(w http.ResponseWriter, q url.Values) bool {
					switch {
					case q.Get("watch") != "", q.Get("continue") != "" && c.next == "":
						http.Error(w, "expired", http.StatusGone)
					case q.Get("continue") != "":
						fmt.Fprintln(w, c.next)
					default:
						fmt.Fprintln(w, c.answer)
					}
					return true
				})
				time.Sleep(5 * time.Minute)
				if text := g.log.String(); len(g.names) > 0 || strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, c.want) {
					t.Errorf("%d namespaces are gone, want none and one warning of %s", len(g.names), c.want)
				}
				s.lies(nil)
				time.Sleep(time.Minute)
				s.change("DELETED", "a")
				synctest.Wait()
				if len(g.names) != 1 {
					t.Errorf("%d namespaces are gone, want a", len(g.names))
				}
			})
		})
	}
}

// A malformed event is followed by a list, because a watch would get it again.
func TestMalformedEventDeletesNothing(t *testing.T) {
	for line, want := range map[string]string{
		"{}":              "unknown type",
		`{"status":"ok"}`: "unknown type",
		"null":            "unknown type",
		`{"kind":"NamespaceList","metadata":{"resourceVersion":"9"},"items":[]}`:                         "unknown type",
		`{"type":"RENAMED","object":{"kind":"Namespace","metadata":{"name":"a","resourceVersion":"9"}}}`: "unknown type",
		`{"type":"DELETED","object":{}}`:  `has the kind \"\"`,
		`{"type":"ADDED","object":{}}`:    `has the kind \"\"`,
		`{"type":"BOOKMARK","object":{}}`: `has the kind \"\"`,
		`{"type":"DELETED","object":{"kind":"Pod","metadata":{"name":"a","resourceVersion":"9"}}}`:                 `has the kind \"Pod\"`,
		`{"type":"DELETED","object":{"kind":"Namespace","metadata":{"name":"a"}}}`:                                 "has no resourceVersion",
		`{"type":"BOOKMARK","object":{"kind":"Namespace","metadata":{}}}`:                                          "has no resourceVersion",
		`{"type":"ADDED","object":{"kind":"Namespace","metadata":{"resourceVersion":"9"}}}`:                        "has no name",
		`{"type":"DELETED","object":{"kind":"Namespace","metadata":{"name":"","resourceVersion":"9"}}}`:            "has no name",
		`{"type":"DELETED","object":{"kind":"Namespace","metadata":{"name":"a","resourceVersion":"9"}}} and so on`: "is not JSON",
	} {
		t.Run(line, func(t *testing.T) {
			inFakeTime(t, func(t *testing.T, s *apiServer, g *told) {
				time.Sleep(time.Minute)
				s.mu.Lock()
				s.events = append(s.events, line)
				s.changed.Broadcast()
				s.mu.Unlock()
				time.Sleep(time.Minute)
				if text := g.log.String(); len(g.names) > 0 || strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, want) {
					t.Errorf("%d namespaces are gone, want none and a warning of %s", len(g.names), want)
				}
				s.change("DELETED", "b")
				synctest.Wait()
				if len(g.names) != 1 || s.lists != 2 {
					t.Errorf("%d namespaces are gone, after %d lists; want b, after two", len(g.names), s.lists)
				}
			})
		})
	}
}

func TestTokenIsReloadedAndRefusalRetried(t *testing.T) {
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

func TestFailedDeletionIsRetried(t *testing.T) {
	t.Parallel()
	s := newAPIServer(t, "a", "b")
	g, _ := s.follow(t)
	s.listed(1)
	g.fail <- errors.New("the disk says no")
	s.change("DELETED", "a")
	g.want("a")
}

func TestAPIServerMustAuthenticate(t *testing.T) {
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
