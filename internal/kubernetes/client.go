package kubernetes

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Limits of requests to the API server, and of its responses.
const (
	pageSize   = 500
	listTime   = 30 * time.Second
	watchTime  = 5 * time.Minute
	maxPage    = 64 << 20
	maxEvent   = 4 << 20
	maxMessage = 1 << 10 // of an error
)

// object is the part of any Kubernetes object that is used.
type object struct {
	Kind     string `json:"kind"` // empty in an item of a list
	Metadata struct {
		Name            string `json:"name"`
		ResourceVersion string `json:"resourceVersion"`
		Continue        string `json:"continue"`
	} `json:"metadata"`
	Message string   `json:"message"` // of a Status
	Code    int      `json:"code"`    // of a Status, as in HTTP
	Items   []object `json:"items"`   // of a list
}

// watchEvent is an event of a watch.
type watchEvent struct {
	Type   string `json:"type"`
	Object object `json:"object"`
}

// client makes requests to one API server.
type client struct {
	http  http.Client
	base  string
	token string
}

func (c *client) close() { c.http.CloseIdleConnections() }

// immortal is a namespace that every cluster has: Kubernetes refuses to delete it.
const immortal = "default"

// list returns the names of all namespaces, and the version after which a watch begins. It returns
// an error for anything that may be incomplete: jobs of missing namespaces are deleted.
func (c *client) list(ctx context.Context) (names map[string]bool, version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	names = make(map[string]bool)
	query := url.Values{"limit": {fmt.Sprint(pageSize)}}
	for {
		body, err := c.get(ctx, query)
		if err != nil {
			return nil, "", fmt.Errorf("list namespaces: %w", err)
		}
		var page object
		err = json.NewDecoder(io.LimitReader(body, maxPage)).Decode(&page)
		if err = errors.Join(err, body.Close()); err != nil {
			return nil, "", fmt.Errorf("list namespaces: %w", err)
		}
		if err := page.checkList(); err != nil {
			return nil, "", fmt.Errorf("list namespaces: %w", err)
		}
		version = page.Metadata.ResourceVersion
		for _, item := range page.Items {
			names[item.Metadata.Name] = true
		}
		if page.Metadata.Continue == "" {
			break
		}
		query.Set("continue", page.Metadata.Continue)
	}
	if !names[immortal] {
		return nil, "", fmt.Errorf("list namespaces: the list lacks the namespace %s, which every cluster has: use the address of the API server, not of a proxy that hides namespaces", immortal)
	}
	return names, version, nil
}

// checkList returns an error unless o is a page of a list.
func (o *object) checkList() error {
	switch {
	case o.Kind != "NamespaceList":
		return fmt.Errorf("the response has the kind %.100q instead of NamespaceList: check the address of the API server", o.Kind)
	case o.Metadata.ResourceVersion == "":
		return errors.New("the list has no resourceVersion: check the address of the API server")
	case slices.ContainsFunc(o.Items, func(item object) bool { return item.Metadata.Name == "" }):
		return errors.New("the list has an item without a name: check the address of the API server")
	default:
		return nil
	}
}

// check returns an error unless e is a valid event of a namespace.
func (e *watchEvent) check() error {
	switch meta := e.Object.Metadata; {
	case !slices.Contains([]string{"ADDED", "MODIFIED", "DELETED", "BOOKMARK"}, e.Type):
		return fmt.Errorf("an event has the unknown type %.100q", e.Type)
	case e.Object.Kind != "Namespace":
		return fmt.Errorf("an event %s has the kind %.100q instead of Namespace", e.Type, e.Object.Kind)
	case meta.ResourceVersion == "":
		return fmt.Errorf("an event %s has no resourceVersion", e.Type)
	case meta.Name == "" && e.Type != "BOOKMARK":
		return fmt.Errorf("an event %s has no name", e.Type)
	default:
		return nil
	}
}

// watch calls each with the events after a version. It returns how long the watch lasted, and why
// it ended: nil if the API server ended it normally. An [expired] error means that no watch can
// continue after that version.
func (c *client) watch(ctx context.Context, version string, each func(watchEvent) error) (lasted time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, watchTime+listTime)
	defer cancel()
	body, err := c.get(ctx, url.Values{
		"watch": {"true"}, "allowWatchBookmarks": {"true"}, "resourceVersion": {version},
		"timeoutSeconds": {fmt.Sprint(int(watchTime.Seconds()))},
	})
	if err != nil {
		return 0, fmt.Errorf("watch namespaces: %w", err)
	}
	began := time.Now()
	err = errors.Join(events(body, each), body.Close())
	switch lasted = time.Since(began); {
	case errors.Is(err, context.DeadlineExceeded): // the API server ignores timeoutSeconds
		return lasted, nil
	case err != nil:
		return lasted, fmt.Errorf("watch namespaces: %w", err)
	}
	return lasted, nil
}

// events calls each with the events in the body of a watch.
func events(body io.Reader, each func(watchEvent) error) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		var e watchEvent
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return expired{error: fmt.Errorf("an event is not JSON: %w", err)}
		}
		if e.Type == "ERROR" {
			return refusal(e.Object.Code, fmt.Sprintf("the API server says %q", e.Object.Message))
		}
		if err := e.check(); err != nil {
			return expired{error: err}
		}
		if err := each(e); err != nil {
			return err
		}
	}
	err := lines.Err()
	if errors.Is(err, bufio.ErrTooLong) { // the next watch would get it again
		return expired{error: fmt.Errorf("an event is larger than %d bytes: %w", maxEvent, err)}
	}
	return err
}

// expired is the error of a watch that cannot continue after the last one, so that a list is
// needed.
type expired struct {
	error
	gone bool // the API server no longer has the version: 410 Gone
}

// Unwrap returns the cause.
func (e expired) Unwrap() error { return e.error }

// refusal returns the error of a response with that status code; 0 means none. It is expired unless
// the status has nothing to do with the version: the credentials are refused, or the server is busy
// or failing.
func refusal(code int, text string) error {
	err := errors.New(text)
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable:
		return err
	default: // 410 Gone; and 504, for a version that it does not have yet
		return expired{err, code == http.StatusGone}
	}
}

// get returns the body of a response, which the caller closes.
func (c *client) get(ctx context.Context, query url.Values) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+query.Encode(), http.NoBody)
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, maxMessage))
		return nil, refusal(resp.StatusCode, fmt.Sprintf("the API server answers %s: %s", resp.Status, bytes.TrimSpace(text)))
	}
	return resp.Body, nil
}
